"""One HTTP/1.1 connection as a transport of httpx: the standard library parses, httpx is spoken.

httpx brings its own transport, a pool that costs twice the CPU of a single connection; see
``ops/decisions/0012-fast.md``.
"""

import io
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Final

import httpx

_CONNECT_S: Final = 5.0
_KEEP_ALIVE_S: Final = 4.0
"""Below the five seconds after which the gateway closes an idle connection."""
_PART: Final = 256 * 1024
_BUFFER: Final = 16 * 1024
_UNSENDABLE: Final = (b"\r", b"\n", b"\0")


class OneConnection(httpx.BaseTransport):
    """Connects to one server when it has to, and keeps the connection between requests.

    One exchange at a time. A request may carry the extension ``before_sending``: it is called once
    the connection stands, and nothing is sent when it raises.

    Attributes:
        socket: The open connection, or None; its ``shutdown`` ends what it is doing.
    """

    def __init__(self, url: httpx.URL, *, read_s: float, tls: ssl.SSLContext) -> None:
        self.socket: socket.socket | None = None
        self._address = (url.host, url.port or (443 if url.scheme == "https" else 80))
        self._tls = tls if url.scheme == "https" else None
        self._read_s = read_s
        self._good_until = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the head of its answer; the body is read as it is consumed.

        Raises:
            httpx.TransportError: By what went wrong, as httpx names it.
        """
        head = _head_of(request)
        connection = self._ready()
        before_sending = request.extensions.get("before_sending")
        if before_sending is not None:
            before_sending()
        try:
            connection.sendall(head + request.read())
        except OSError as error:
            self.close()
            raise _named(error, httpx.WriteTimeout, httpx.WriteError) from error
        # It asks for nothing but a file to read from.
        answer = HTTPResponse(_Readable(connection), method=request.method)  # type: ignore[arg-type]
        try:
            answer.begin()
        except (OSError, HTTPException, ValueError) as error:
            self._give_up(answer)
            raise _named(error, httpx.ReadTimeout, httpx.ReadError) from error
        if answer.status < 200:
            self._give_up(answer)
            raise httpx.RemoteProtocolError(f"unexpected status {answer.status}")
        headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.getheaders()]
        body = _Body(self, answer)
        return httpx.Response(answer.status, headers=headers, stream=body, request=request)

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        connection, self.socket = self.socket, None
        if connection is not None:
            connection.close()

    def finish(self, answer: HTTPResponse, *, is_whole: bool) -> None:
        """Keep the connection for the next request, or close it when it is good for no other."""
        may_stay = is_whole and not answer.will_close
        answer.close()
        if may_stay:
            self._good_until = time.monotonic() + _KEEP_ALIVE_S
        else:
            self.close()

    def _give_up(self, answer: HTTPResponse) -> None:
        answer.close()
        self.close()

    def _ready(self) -> socket.socket:
        if self.socket is not None:
            if time.monotonic() < self._good_until and not _has_news(self.socket):
                self._good_until = 0.0
                return self.socket
            self.close()
        try:
            self.socket = self._connect()
        except OSError as error:
            raise _named(error, httpx.ConnectTimeout, httpx.ConnectError) from error
        return self.socket

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=_CONNECT_S)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_hostname=self._address[0])
            connection.settimeout(self._read_s)
        except BaseException:
            connection.close()
            raise
        return connection


class _Lines(io.BufferedReader):
    """Reads an answer; an end in the middle of its head is an error, which http.client overlooks."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise ConnectionResetError
        return line


class _Readable:
    """What ``HTTPResponse`` needs of a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def makefile(self, *_: object) -> _Lines:
        return _Lines(self._connection.makefile("rb", buffering=0), _BUFFER)


class _Body(httpx.SyncByteStream):
    """The body of an answer, part by part; closing it early closes the connection."""

    def __init__(self, connection: OneConnection, answer: HTTPResponse) -> None:
        self._connection = connection
        self._answer = answer
        self._is_whole = False
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        answer = self._answer
        try:
            while part := answer.read(_PART):
                yield part
        except (OSError, HTTPException, ValueError) as error:
            raise _named(error, httpx.ReadTimeout, httpx.ReadError) from error
        # The standard library says nothing when a body ends too soon.
        if answer.length:
            raise httpx.RemoteProtocolError("the body ended before its length")
        self._is_whole = True

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._connection.finish(self._answer, is_whole=self._is_whole)


def _head_of(request: httpx.Request) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    for name, value in request.headers.raw:
        if any(one in value for one in _UNSENDABLE):
            raise httpx.LocalProtocolError("a header has a line break in it")
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join((*lines, b"", b""))


def _has_news(connection: socket.socket) -> bool:
    """Say whether an idle connection has something to read: its end, or what nobody asked for."""
    poller = select.poll()
    with suppress(OSError, ValueError):
        poller.register(connection, select.POLLIN)
        return bool(poller.poll(0))
    return True


def _named(
    error: Exception,
    time_out: type[httpx.TransportError],
    broken: type[httpx.TransportError],
) -> httpx.TransportError:
    """Give an error the name that httpx has for it."""
    if isinstance(error, TimeoutError):
        return time_out(type(error).__name__)
    if isinstance(error, OSError):
        return broken(type(error).__name__)
    return httpx.RemoteProtocolError(type(error).__name__)
