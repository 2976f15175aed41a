"""A server that knows its open connections."""

import socket
import threading
from contextlib import suppress

from dispatcher.sandbox.serving import SandboxHandler, SandboxServer

_Request = socket.socket | tuple[bytes, socket.socket]


class DroppingServer(SandboxServer):
    """A sandbox server that can drop its connections, as a crash does."""

    def __init__(self, handler: type[SandboxHandler], *, port: int) -> None:
        super().__init__(handler, port=port)
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()

    def get_request(self) -> tuple[socket.socket, object]:
        """Take a new connection and remember it."""
        connection, address = super().get_request()
        with self._changed:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: _Request) -> None:
        """Close a connection and forget it."""
        super().shutdown_request(request)
        with self._changed:
            if isinstance(request, socket.socket):
                self._open.discard(request)
            self._changed.notify_all()

    def drop_connections(self, limit_s: float = 5.0) -> None:
        """Break all connections; asks that run notice it and end as aborted."""
        with self._changed:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, limit_s)
