"""A small threaded HTTP server for the sandbox, with its socket within reach of the faults."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class SandboxServer(ThreadingHTTPServer):
    """One thread a connection, on loopback; keeps connections alive between requests.

    Attributes:
        url: Where it listens, without a trailing slash.
    """

    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], *, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the base URL of this server."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> Self:
        """Serve in a background thread until ``stop``."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and close the port; requests that run are left to their threads."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in mid-answer is everyday life here."""


class SandboxHandler(BaseHTTPRequestHandler):
    """What both sandbox servers share: HTTP/1.1, no delays, no log lines."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing on standard error for each request."""
