"""One HTTP/1.1 connection in the words of httpx, with the parser of Node and uvicorn.

httpx brings a transport of its own, which costs several times the CPU; see
``ops/decisions/0012-fast.md``. Its URLs, headers and errors are what everybody else sees.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import httptools
import httpx

_CONNECT_S: Final = 5.0
_KEEP_ALIVE_S: Final = 4.0
"""Below the five seconds after which the gateway closes an idle connection."""
_PART: Final = 64 * 1024
_LARGEST_HEAD: Final = 64 * 1024
_LARGEST_BODY: Final = 32 * 1024 * 1024


class BodyTooLarge(Exception):
    """An answer is larger than anybody needs; it was not read to its end."""


class OneConnection:
    """Connects to one server when it has to, and keeps the connection between requests.

    One exchange at a time.

    Attributes:
        socket: The open connection, or None; its ``shutdown`` ends what it is doing.
    """

    def __init__(self, url: httpx.URL, *, read_s: float, tls: ssl.SSLContext) -> None:
        self.socket: socket.socket | None = None
        # As bytes, in the form that the Host header has: Python would encode a text by rules of its
        # own (IDNA 2003), which are those of another host for some names.
        self._address = (url.raw_host, url.port or (443 if url.scheme == "https" else 80))
        self._tls = tls if url.scheme == "https" else None
        self._read_s = read_s
        self._good_until = 0.0

    def exchange(
        self, request: bytes, *, before_sending: Callable[[], None], body_limit: int | None = None
    ) -> "Answer":
        """Send a whole request and read the whole answer.

        Args:
            request: Head and body.
            before_sending: Called once the connection stands; nothing is sent when it raises.
            body_limit: The largest body that is read, in bytes; 32 MiB unless given.

        Raises:
            httpx.TransportError: By what went wrong, as httpx names it.
            BodyTooLarge: The body is larger than the limit.
        """
        connection = self._ready()
        before_sending()
        try:
            answer = _exchange(connection, request, body_limit=body_limit or _LARGEST_BODY)
        except BaseException:
            self.close()
            raise
        if answer.may_stay:
            self._good_until = time.monotonic() + _KEEP_ALIVE_S
        else:
            self.close()
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        connection, self.socket = self.socket, None
        if connection is not None:
            connection.close()

    def _ready(self) -> socket.socket:
        if self.socket is not None:
            if time.monotonic() < self._good_until and not _has_news(self.socket):
                return self.socket
            self.close()
        try:
            self.socket = self._connect()
        except TimeoutError as error:
            raise httpx.ConnectTimeout(type(error).__name__) from error
        except (OSError, ValueError) as error:
            # Names that cannot be names as well.
            raise httpx.ConnectError(type(error).__name__) from error
        return self.socket

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(
            self._address,  # type: ignore[arg-type]  # it takes bytes as well
            timeout=_CONNECT_S,
        )
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                name = self._address[0].decode("ascii")
                connection = self._tls.wrap_socket(connection, server_hostname=name)
            connection.settimeout(self._read_s)
        except BaseException:
            connection.close()
            raise
        return connection


class Answer:
    """What the parser has told of an answer; its methods have the names that the parser wants.

    Attributes:
        headers: Their names and values as they came.
        may_stay: The connection is good for another exchange.
        ends_with_connection: Nothing but the end of the connection told where its body ends.
    """

    def __init__(self, *, body_limit: int) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.is_head_over = self.is_over = self.may_stay = False
        self.ends_with_connection = False
        self._body_limit = body_limit
        self._is_packed = False
        self._received = 0
        self._parser: Any = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take the next bytes; none are the end of the connection.

        Raises:
            httpx.RemoteProtocolError: They are no answer.
            BodyTooLarge: The body is larger than the limit.
        """
        if not data:
            if not (self.is_head_over and self._has_no_length()):
                raise httpx.RemoteProtocolError("the connection ended in the middle of the answer")
            self.is_over = self.ends_with_connection = True
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.may_stay = False
            if not self.is_over:
                raise httpx.RemoteProtocolError(type(error).__name__) from error
        self._received += len(data)
        if self._received > 2 * self._body_limit + _LARGEST_HEAD:
            # Frames and trailers count as well.
            raise BodyTooLarge
        if self._is_packed:
            raise httpx.RemoteProtocolError("the body is encoded although nobody asked for it")
        if len(self.body) > self._body_limit:
            raise BodyTooLarge

    def close(self) -> None:
        """Let the parser go: it knows us as we know it, and both would stay until somebody looks."""
        self._parser = None

    def on_message_begin(self) -> None:
        """See httptools."""
        # A second answer, which nobody asked for: nothing of this connection can be trusted.
        self.may_stay = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        # What comes later are trailers, or a second answer.
        if not self.is_head_over:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """See httptools."""
        if self.is_over:
            return
        self.status = self._parser.get_status_code()
        self.is_head_over = self.status >= 200
        if not self.is_head_over:
            self.headers.clear()
        # Nobody asked for a packed body, which may unfold without end.
        self._is_packed = any(
            name.lower() == b"content-encoding" and value.strip().lower() != b"identity"
            for name, value in self.headers
        )

    def on_body(self, part: bytes) -> None:
        """See httptools."""
        if not self.is_over:
            self.body += part

    def on_message_complete(self) -> None:
        """See httptools."""
        if self.is_head_over and not self.is_over:
            self.is_over = True
            self.may_stay = self._parser.should_keep_alive()

    def _has_no_length(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return names.isdisjoint({b"content-length", b"transfer-encoding"})


def _exchange(connection: socket.socket, request: bytes, *, body_limit: int) -> Answer:
    answer, unsent = Answer(body_limit=body_limit), None
    try:
        connection.sendall(request)
    except TimeoutError as error:
        raise httpx.WriteTimeout(type(error).__name__) from error
    except OSError as error:
        # Who refuses a request early closes before it was read; the answer says why.
        unsent = error
    try:
        _read(connection, answer)
    except httpx.TransportError:
        if unsent is not None:
            raise httpx.WriteError(type(unsent).__name__) from unsent
        raise
    finally:
        answer.close()
    if unsent is not None:
        answer.may_stay = False
    return answer


def _read(connection: socket.socket, answer: Answer) -> None:
    head = 0
    while not answer.is_over:
        try:
            data = connection.recv(_PART)
        except TimeoutError as error:
            raise httpx.ReadTimeout(type(error).__name__) from error
        except OSError as error:
            raise httpx.ReadError(type(error).__name__) from error
        answer.feed(data)
        head += 0 if answer.is_head_over else len(data)
        if head > _LARGEST_HEAD:
            raise httpx.RemoteProtocolError("the head of the answer is larger than 64 KiB")


def _has_news(connection: socket.socket) -> bool:
    """Say whether an idle connection has something to read: its end, or what nobody asked for."""
    poller = select.poll()
    with suppress(OSError, ValueError):
        poller.register(connection, select.POLLIN)
        return bool(poller.poll(0))
    return True
