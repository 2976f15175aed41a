"""A small server on loopback that sends whatever bytes a test wants, as no honest server would."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Request:
    """What came in: names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Line:
    """The way back to the client of one request.

    Attributes:
        closing: Set when the server is about to stop, so that slow answers end.
        sent: Bytes that the client's side has taken.
    """

    connection: socket.socket
    closing: threading.Event
    sent: int = 0

    def send(self, data: bytes) -> bool:
        """Send bytes; False when the client does not take them any more."""
        try:
            self.connection.sendall(data)
        except OSError:
            return False
        self.sent += len(data)
        return True

    def drip(self, data: bytes, *, every_s: float, limit_s: float = 20.0) -> None:
        """Send byte by byte until the client goes away."""
        for position in range(min(len(data), int(limit_s / every_s))):
            if self.closing.wait(every_s) or not self.send(data[position : position + 1]):
                return

    def hang(self) -> bool:
        """Say nothing until the client goes away; True when it did."""
        self.connection.settimeout(0.02)
        while not self.closing.is_set():
            try:
                return self.connection.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                return True
        return False


Play = Callable[[Request, Line], bool]
"""Answers one request; False closes the connection."""


def answer(status: int, body: bytes | str | dict[str, Any], **headers: str) -> bytes:
    """Write an HTTP answer; names of headers come with underscores."""
    raw = json.dumps(body).encode() if isinstance(body, dict) else body
    raw = raw.encode() if isinstance(raw, str) else raw
    named = {"Content_Length": str(len(raw))} | headers
    lines = [f"HTTP/1.1 {status} Whatever"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def always(*data: bytes) -> Play:
    """Send the given answers in turn, the last one for ever."""
    left = list(data)

    def play(_request: Request, line: Line) -> bool:
        return line.send(left.pop(0) if len(left) > 1 else left[0])

    return play


@dataclass
class RawServer:
    """Takes connections, reads requests, and lets ``play`` answer them.

    Attributes:
        requests: Every request so far.
        connections: How many connections were made.
    """

    play: Play
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._start(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.add(connection)
            self._start(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as stream:
            while (request := _read(stream, number)) is not None:
                self.requests.append(request)
                if not self.play(request, Line(connection, self._closing)):
                    break
        self._open.discard(connection)


def _read(stream: Any, number: int) -> Request | None:
    first = stream.readline().decode().split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Request(method=first[0], path=first[1], headers=headers, body=body, connection=number)
