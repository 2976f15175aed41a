"""The HTTP server's handler: reads a request, hands it over, writes the answer or cuts the line."""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import ClassVar, Final, TypeAlias

from dispatcher.sandbox.backend.faults import Dropped
from dispatcher.sandbox.backend.wire import MAX_BODY, Answer
from dispatcher.sandbox.serving import SandboxHandler

Respond: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], Answer]
"""Takes method, target, headers and body; header names are in title case."""

_MAX_READ: Final = 2 * MAX_BODY
"""Bytes; a body beyond it is not read to its end, and the connection is not used again."""


class BackendHandler(SandboxHandler):
    """Serves every method alike; what is right or wrong is decided by ``respond``."""

    respond: ClassVar["staticmethod[[str, str, Mapping[str, str], bytes], Answer]"]

    def _serve(self) -> None:
        body = self._body()
        headers = {name.title(): value for name, value in self.headers.items()}
        try:
            answer = self.respond(self.command, self.path, headers, body)
        except Dropped:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isascii() and length.isdigit() else 0
        if size > _MAX_READ or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        return self.rfile.read(min(size, _MAX_READ))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.body:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - the base's names


def handler_for(respond: Respond) -> type[BackendHandler]:
    """Make the handler class of one server."""
    return type("BoundHandler", (BackendHandler,), {"respond": staticmethod(respond)})
