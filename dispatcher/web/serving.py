"""The web server of our processes, with bounds for clients that mean no good."""

import resource
import socket
import time
from contextlib import suppress
from typing import Any, Final

from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

CONNECTIONS: Final = 1_500
"""So many may be open at once; whoever comes later waits until others are closed."""
_SILENT_S: Final = 10
_REQUEST_S: Final = 30
"""So long may one request take to arrive whole."""
_CLEANS_UP_S: Final = 3
_HEAD_LIMIT: Final = 32 * 1024
_OTHER_FILES: Final = 500
"""So many files and connections of another kind the process may need beside them."""
_FEWEST_CONNECTIONS: Final = 50


class _Channel(HTTPChannel):
    """A connection that neither dripping nor deafness keeps open.

    Half a request is no sign of life for ever, and whoever takes nothing of its answers for a while
    is sent away: else a thread that writes to it would wait for ever, and the connection with it.
    """

    _begun = 0.0
    _seen = _took = 0.0

    def received(self, data: bytes) -> bool:
        before = self.request
        is_taken = super().received(data)
        if self.request is not before:
            self._begun = self.last_activity
        if self.request is not None:
            latest = self._begun + _REQUEST_S - _SILENT_S
            self.last_activity = min(self.last_activity, latest)
        return is_taken

    def readable(self) -> bool:
        """Say whether to wait for input; asked in each round of the server, once a second at least."""
        now = time.monotonic()
        if not self.total_outbufs_len or self.last_activity != self._seen:
            self._seen, self._took = self.last_activity, now
        if now - self._took > _SILENT_S and self.socket is not None:
            # The server closes what breaks; it never comes to close what cannot be written to.
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
        return bool(super().readable())


def make_server(app: Any, *, host: str, port: int, threads: int, body_limit: int) -> Any:  # noqa: ANN401 - WSGI
    """Make a server that listens; ``run`` serves until ``close``.

    A connection that says or takes nothing for 10 s is closed, and so is one whose request takes
    more than 30 s to arrive. Silent and slow ones take no thread, so a thousand keep nobody else
    from being served. Where fewer files may be open, fewer connections are taken.

    Raises:
        OSError: The port is in use, or must not be used.
    """
    sockets: dict[int, Any] = {}
    server = create_server(
        app,
        map=sockets,
        host=host,
        port=port,
        threads=threads,
        max_request_body_size=body_limit,
        max_request_header_size=_HEAD_LIMIT,
        connection_limit=min(CONNECTIONS, max(_FEWEST_CONNECTIONS, _files() - _OTHER_FILES)),
        channel_timeout=_SILENT_S,
        cleanup_interval=_CLEANS_UP_S,
        # Without it file descriptors above 1024 would end the server.
        asyncore_use_poll=True,
        ident=None,
    )
    for one in sockets.values():
        if isinstance(one, BaseWSGIServer):
            one.channel_class = _Channel
    return server


def _files() -> int:
    """Let the process open as many files as it wants connections, if it may; return how many."""
    wanted = CONNECTIONS + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return wanted if soft == resource.RLIM_INFINITY else soft
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
