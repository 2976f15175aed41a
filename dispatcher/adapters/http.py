"""HTTP clients, one per thread, and exchanges that another thread can close.

One client per thread because a shared pool is one lock and a linear scan: it cost twice the CPU
per delivery. Each thread has one connection at most, so the connection that it opened last is the
one that its current exchange uses; closing that socket ends a read that may take minutes.
"""

import contextlib
import heapq
import itertools
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import httpx

from dispatcher.ports import Clock

_CONNECT_S: Final = 5.0
_KEEP_ALIVE_S: Final = 4.0
"""Below the five seconds after which the gateway closes an idle connection."""


class ThreadClients:
    """Hands each thread its own ``httpx.Client``; all share one TLS context."""

    def __init__(self, *, base_url: str, headers: Mapping[str, str], read: timedelta) -> None:
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "headers": dict(headers),
            "timeout": httpx.Timeout(read.total_seconds(), connect=_CONNECT_S),
            "limits": httpx.Limits(max_connections=1, keepalive_expiry=_KEEP_ALIVE_S),
            "trust_env": False,
            "follow_redirects": False,
            "verify": ssl.create_default_context(),
        }
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[httpx.Client] = []

    def mine(self) -> "ThreadClient":
        """Return the calling thread's client."""
        found: ThreadClient | None = getattr(self._local, "client", None)
        if found is None:
            client = httpx.Client(**self._options)
            with self._lock:
                self._all.append(client)
            found = self._local.client = ThreadClient(client)
        return found

    def close(self) -> None:
        """Close the clients of all threads."""
        with self._lock:
            for client in self._all:
                client.close()
            self._all.clear()


class ThreadClient:
    """One thread's client, which remembers the socket of its only connection.

    Every request must go out in an exchange: a later one may reuse its connection.
    """

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self._socket: socket.socket | None = None

    def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Listen to httpcore's trace for the connection that is used."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket = info["return_value"].get_extra_info("socket")

    def cut(self) -> None:
        """End whatever the connection is doing; safe from another thread."""
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It is closed already, which is all that was wanted.
                self._socket = None


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

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Follow the request; stop it before it is sent when it was closed meanwhile."""
        self._thread_client.note(event, info)
        if event.endswith("send_request_headers.started"):
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
    request.extensions["trace"] = exchange.trace
    response = mine.client.send(request, stream=True)
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
