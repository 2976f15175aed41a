"""HTTP clients, one per thread, and exchanges that another thread can close.

One client per thread because a shared pool is one lock and a linear scan: it cost twice the CPU
per delivery. Each thread has one connection at most, which is the one that its current exchange
uses; closing that socket ends a read that may take minutes.
"""

import heapq
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import httpx

from dispatcher.adapters.http_connection import Answer, OneConnection
from dispatcher.ports import Clock


class ThreadClients:
    """Hands each thread its own ``ThreadClient``; all share one TLS context."""

    def __init__(self, *, base_url: str, headers: Mapping[str, str], read: timedelta) -> None:
        self._url = httpx.URL(base_url)
        self._headers = {
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": "mission-control-dispatcher",
            **headers,
        }
        self._read_s = read.total_seconds()
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[OneConnection] = []

    def mine(self) -> "ThreadClient":
        """Return the calling thread's client."""
        found: ThreadClient | None = getattr(self._local, "client", None)
        if found is None:
            connection = OneConnection(self._url, read_s=self._read_s, tls=self._tls)
            with self._lock:
                self._all.append(connection)
            found = ThreadClient(connection, base_url=self._url, headers=self._headers)
            self._local.client = found
        return found

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()


class ThreadClient:
    """One thread's connection, and the heads of the requests that go out on it."""

    def __init__(
        self, connection: OneConnection, *, base_url: httpx.URL, headers: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._base = base_url
        self._headers = dict(headers)
        self._heads: dict[tuple[str, str], bytes] = {}

    def exchange(self, request: "Request", before_sending: Callable[[], None]) -> Answer:
        """Send a request; see ``OneConnection.exchange``."""
        head = self._heads.get((request.method, request.path))
        if head is None:
            head = self._heads[request.method, request.path] = self._head(request)
        size = b"Content-Length: %d\r\n" % len(request.content)
        whole = b"".join((head, _lines(request.headers), size, b"\r\n", request.content))
        return self._connection.exchange(
            whole, before_sending=before_sending, body_limit=request.body_limit
        )

    def _head(self, request: "Request") -> bytes:
        url = self._base.copy_with(path=self._base.path.rstrip("/") + request.path)
        first = b"%b %b HTTP/1.1\r\n" % (request.method.encode(), url.raw_path)
        return first + _lines({"Host": url.netloc.decode(), **self._headers})

    def cut(self) -> None:
        """End whatever the connection is doing; safe from another thread."""
        connection = self._connection.socket
        if connection is not None:
            # An error means that it is closed already, which is all that was wanted.
            with suppress(OSError):
                # Not the method of TLS: that forgets the encryption first, and another thread may
                # be about to send.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class Ending(StrEnum):
    """Why an exchange was closed from our side."""

    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


class ExchangeClosed(Exception):
    """The exchange was closed before its request was sent."""


class Exchange:
    """One request and its answer, which other threads may close."""

    def __init__(self, thread_client: ThreadClient) -> None:
        self._thread_client = thread_client
        self._lock = threading.Lock()
        self._over = False
        self.ending: Ending | None = None
        self.was_sent = False

    def close(self, ending: Ending) -> None:
        """Close the connection, unless the exchange is over; the first ending counts."""
        with self._lock:
            if self._over or self.ending is not None:
                return
            self.ending = ending
            self._thread_client.cut()

    def finish(self) -> None:
        """Say that the exchange is over: the connection may serve another one now."""
        with self._lock:
            self._over = True

    def begin_sending(self) -> None:
        """Say that the request goes out now.

        Raises:
            ExchangeClosed: The exchange was closed meanwhile; nothing must be sent.
        """
        with self._lock:
            if self.ending is not None:
                raise ExchangeClosed
            self.was_sent = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent in an exchange.

    Attributes:
        path: Below the base URL.
        headers: Beside those of all requests.
        body_limit: The largest body of an answer, in bytes; 32 MiB unless given.
    """

    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    body_limit: int | None = None


def send(
    mine: ThreadClient, exchange: Exchange, request: Request
) -> tuple[int, httpx.Headers, bytes]:
    """Send one request in an exchange and read its whole answer.

    Returns:
        Status, headers and body.

    Raises:
        httpx.HTTPError: The exchange broke, or was closed.
        ExchangeClosed: It was closed before its request was sent.
        BodyTooLarge: The body is larger than the limit.
    """
    answer = mine.exchange(request, exchange.begin_sending)
    if answer.ends_with_connection and exchange.ending is not None:
        # It was us who ended it: this is half of an answer at most.
        raise httpx.ReadError(f"closed by us: {exchange.ending}")
    return answer.status, httpx.Headers(answer.headers), bytes(answer.body)


def _lines(headers: Mapping[str, str]) -> bytes:
    """Write headers.

    Raises:
        httpx.LocalProtocolError: One has a line break in it, or cannot be written as UTF-8.
    """
    text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise httpx.LocalProtocolError("a header has a line break in it")
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Not as its cause: that would show what it is.
        raise httpx.LocalProtocolError("a header is no UTF-8") from None


class Watchdog:
    """Closes exchanges at their deadline; one thread for all of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Exchange]] = []
        self._count = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, exchange: Exchange, limit: timedelta) -> Iterator[None]:
        """Close the exchange when the block takes longer than ``limit``."""
        entry = (self._clock.monotonic() + limit.total_seconds(), next(self._count), exchange)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry:
                self._changed.notify()
        try:
            yield
        finally:
            exchange.finish()
            with self._changed:
                if entry in self._heap:
                    self._heap.remove(entry)
                    heapq.heapify(self._heap)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._heap:
                    self._changed.wait()
                    continue
                rest = self._heap[0][0] - self._clock.monotonic()
                if rest > 0:
                    self._changed.wait(rest)
                    continue
                exchange = heapq.heappop(self._heap)[2]
            exchange.close(Ending.TIMED_OUT)
