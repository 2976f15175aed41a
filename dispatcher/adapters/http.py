"""HTTP clients, one per thread, and exchanges that another thread can close.

One client per thread because a shared pool is one lock and a linear scan: it cost twice the CPU
per delivery. Each thread has one connection at most, which is the one that its current exchange
uses; closing that socket ends a read that may take minutes.
"""

import contextlib
import heapq
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import StrEnum

import httpx

from dispatcher.adapters.http_connection import OneConnection
from dispatcher.ports import Clock


class ThreadClients:
    """Hands each thread its own ``ThreadClient``; all share one TLS context."""

    def __init__(self, *, base_url: str, headers: Mapping[str, str], read: timedelta) -> None:
        self._url = httpx.URL(base_url)
        self._headers = {"Accept": "*/*", "Accept-Encoding": "identity", **headers}
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
    """One thread's connection, and how requests for it are made."""

    def __init__(
        self, connection: OneConnection, *, base_url: httpx.URL, headers: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._base = base_url
        self._prefix = base_url.path.rstrip("/")
        self._headers = dict(headers)
        self._urls: dict[str, httpx.URL] = {}

    def request(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        """Make a request to a path below the base URL."""
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._base.copy_with(path=self._prefix + path)
        all_headers = self._headers if headers is None else self._headers | dict(headers)
        return httpx.Request(method, url, headers=all_headers, content=content)

    def send(self, request: httpx.Request, before_sending: Callable[[], None]) -> httpx.Response:
        """Send a request; see ``OneConnection.handle_request``."""
        request.extensions["before_sending"] = before_sending
        return self._connection.handle_request(request)

    def cut(self) -> None:
        """End whatever the connection is doing; safe from another thread."""
        connection = self._connection.socket
        if connection is not None:
            # An error means that it is closed already, which is all that was wanted.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


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


class BodyTooLarge(Exception):
    """An answer is larger than anybody needs; it was not read to its end."""


def send(
    mine: ThreadClient,
    exchange: Exchange,
    request: httpx.Request,
    *,
    body_limit: int = 32 * 1024 * 1024,
) -> tuple[int, httpx.Headers, bytes]:
    """Send one request in an exchange and read its whole answer.

    Returns:
        Status, headers and body.

    Raises:
        httpx.HTTPError: The exchange broke, or was closed.
        ExchangeClosed: It was closed before its request was sent.
        BodyTooLarge: The body is larger than ``body_limit`` bytes.
    """
    response = mine.send(request, exchange.begin_sending)
    with contextlib.closing(response):
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > body_limit:
                raise BodyTooLarge
        return response.status_code, response.headers, bytes(content)


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
