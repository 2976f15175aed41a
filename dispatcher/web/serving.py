"""The web server of our processes, with bounds for clients that mean no good."""

import resource
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
_FILES: Final = CONNECTIONS + 500


class _Channel(HTTPChannel):
    """A connection that dripping does not keep open: half a request is no sign of life for ever."""

    _begun = 0.0

    def received(self, data: bytes) -> bool:
        before = self.request
        is_taken = super().received(data)
        if self.request is not before:
            self._begun = self.last_activity
        if self.request is not None:
            latest = self._begun + _REQUEST_S - _SILENT_S
            self.last_activity = min(self.last_activity, latest)
        return is_taken


def make_server(app: Any, *, host: str, port: int, threads: int, body_limit: int) -> Any:  # noqa: ANN401 - WSGI
    """Make a server that listens; ``run`` serves until ``close``.

    A connection that says nothing for 10 s is closed, and so is one whose request takes more than
    30 s to arrive. Neither takes a thread, so a thousand of them keep nobody else from being served.

    Raises:
        OSError: The port is in use, or must not be used.
    """
    _allow_files()
    sockets: dict[int, Any] = {}
    server = create_server(
        app,
        map=sockets,
        host=host,
        port=port,
        threads=threads,
        max_request_body_size=body_limit,
        max_request_header_size=_HEAD_LIMIT,
        connection_limit=CONNECTIONS,
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


def _allow_files() -> None:
    """Let the process open as many files as it takes connections, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
