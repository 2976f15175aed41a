"""The web server of our processes, with bounds for clients that mean no good."""

import resource
from contextlib import suppress
from typing import Any, Final

from waitress.server import create_server

CONNECTIONS: Final = 1_500
"""So many may be open at once; whoever comes later waits until others are closed."""
_SILENT_S: Final = 10
_CLEANS_UP_S: Final = 3
_HEAD_LIMIT: Final = 32 * 1024
_FILES: Final = CONNECTIONS + 500


def make_server(app: Any, *, host: str, port: int, threads: int, body_limit: int) -> Any:  # noqa: ANN401 - WSGI
    """Make a server that listens; ``run`` serves until ``close``.

    A connection that says nothing for 10 s is closed. Idle connections take no thread, so a thousand
    of them keep nobody else from being served.

    Raises:
        OSError: The port is in use, or must not be used.
    """
    _allow_files()
    return create_server(
        app,
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


def _allow_files() -> None:
    """Let the process open as many files as it takes connections, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
