"""Exchanges that other threads may close, the watchdog over them, and clients of one thread each."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from dispatcher.adapters import http
from dispatcher.adapters.clock import MachineClock
from dispatcher.adapters.http import (
    Ending,
    Exchange,
    ExchangeClosed,
    ThreadClient,
    ThreadClients,
    Watchdog,
)
from tests.adapters.raw_server import Line, Play, RawServer, Request, always, answer
from tests.waiting import until

GOOD = answer(200, b"good")


@pytest.fixture
def clients_of() -> Iterator[Callable[[str], ThreadClients]]:
    """Make clients; all are closed after the test."""
    made: list[ThreadClients] = []

    def make(url: str) -> ThreadClients:
        made.append(ThreadClients(base_url=url, headers={}, read=timedelta(seconds=10)))
        return made[-1]

    yield make
    for clients in made:
        clients.close()


def send(mine: ThreadClient, exchange: Exchange) -> bytes:
    return http.send(mine, exchange, http.Request(method="POST", path="/", content=b"x"))[2]


def get(mine: ThreadClient, path: str = "/") -> bytes:
    return http.send(mine, Exchange(mine), http.Request(method="GET", path=path))[2]


def hang_on_post(request: Request, line: Line) -> bool:
    if request.body == b"x":
        return not line.hang()
    return line.send(GOOD)


def test_closing_ends_an_exchange_that_waits(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """A read that may take minutes ends when another thread says so."""
    server = raw(hang_on_post)
    mine = clients_of(server.url).mine()
    exchange = Exchange(mine)

    def close() -> None:
        until(lambda: server.requests)
        exchange.close(Ending.CANCELLED)

    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(close)
        with pytest.raises(httpx.HTTPError):
            send(mine, exchange)
        closing.result()

    assert exchange.was_sent
    assert exchange.ending is Ending.CANCELLED


def test_closing_works_on_a_connection_that_another_request_opened(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """A look at the gateway may have opened it."""
    server = raw(hang_on_post)
    mine = clients_of(server.url).mine()
    get(mine, "/readyz")
    exchange = Exchange(mine)

    def close() -> None:
        until(lambda: len(server.requests) > 1)
        exchange.close(Ending.CANCELLED)

    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        ending = threading.Timer(10.0, server._closing.set)  # lets a deaf exchange end
        ending.start()
        closing = pool.submit(close)
        with pytest.raises(httpx.HTTPError):
            send(mine, exchange)
        took = time.monotonic() - began
        closing.result()
        ending.cancel()
        ending.join()

    assert took < 5


def test_a_finished_exchange_cannot_cut_the_next_one(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """They use the same connection, one after the other."""
    server = raw(always(GOOD))
    mine = clients_of(server.url).mine()
    first, second = Exchange(mine), Exchange(mine)
    send(mine, first)
    first.finish()

    first.close(Ending.CANCELLED)
    first.close(Ending.TIMED_OUT)

    assert send(mine, second) == b"good"
    assert first.ending is None
    assert server.connections == 1


def test_an_exchange_that_was_closed_before_is_never_sent(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """The loss of a claim may come first; the agent must not be asked."""
    server = raw(always(GOOD))
    mine = clients_of(server.url).mine()
    exchange = Exchange(mine)
    exchange.close(Ending.CANCELLED)

    with pytest.raises(ExchangeClosed):
        send(mine, exchange)

    assert not exchange.was_sent
    assert server.requests == []


def test_an_exchange_closed_on_an_idle_connection_is_never_sent(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """The connection of the exchange before lies ready."""
    server = raw(always(GOOD))
    mine = clients_of(server.url).mine()
    first = Exchange(mine)
    send(mine, first)
    first.finish()
    exchange = Exchange(mine)
    exchange.close(Ending.CANCELLED)

    with pytest.raises((ExchangeClosed, httpx.HTTPError)):
        send(mine, exchange)

    assert not exchange.was_sent
    assert len(server.requests) == 1


def test_the_client_is_good_after_an_exchange_was_closed(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """The thread goes on with the next delivery."""
    mine = clients_of(raw(always(GOOD)).url).mine()
    closed = Exchange(mine)
    closed.close(Ending.CANCELLED)
    with pytest.raises(ExchangeClosed):
        send(mine, closed)

    assert send(mine, Exchange(mine)) == b"good"


def test_the_first_ending_counts(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """What the error is called must not depend on who comes second."""
    exchange = Exchange(clients_of(raw(always(GOOD)).url).mine())

    exchange.close(Ending.TIMED_OUT)
    exchange.close(Ending.CANCELLED)

    assert exchange.ending is Ending.TIMED_OUT


def test_many_exchanges_are_each_ended_in_time(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """One thread watches them all, whatever the order in which they came."""
    clients = clients_of(raw(hang_on_post).url)
    watchdog = Watchdog(MachineClock())
    limits_s = [0.8, 0.1, 0.5, 0.3, 0.7, 0.2, 0.6, 0.4]
    together = threading.Barrier(len(limits_s))

    def ask(limit_s: float) -> tuple[float, Ending | None]:
        mine = clients.mine()
        exchange = Exchange(mine)
        together.wait(10)
        began = time.monotonic()
        with (
            watchdog.watching(exchange, timedelta(seconds=limit_s)),
            pytest.raises(httpx.HTTPError),
        ):
            send(mine, exchange)
        return time.monotonic() - began, exchange.ending

    with ThreadPoolExecutor(len(limits_s)) as pool:
        ends = list(pool.map(ask, limits_s))

    assert [ending for _, ending in ends] == [Ending.TIMED_OUT] * len(limits_s)
    for limit_s, (took_s, _) in zip(limits_s, ends, strict=True):
        assert limit_s <= took_s < limit_s + 5


def test_an_exchange_in_time_is_left_alone(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """Its deadline passes while the next one runs on the same connection."""
    server = raw(always(GOOD))
    mine = clients_of(server.url).mine()
    watchdog = Watchdog(MachineClock())
    early, late = Exchange(mine), Exchange(mine)

    with watchdog.watching(early, timedelta(seconds=1)):
        send(mine, early)
    with watchdog.watching(late, timedelta(seconds=1.5)):
        until(lambda: late.ending)

    assert early.ending is None


def test_an_exchange_whose_block_raised_is_over(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """Nothing closes it later, and nothing is left to watch."""
    exchange = Exchange(clients_of(raw(always(GOOD)).url).mine())
    watchdog = Watchdog(MachineClock())

    with (
        pytest.raises(RuntimeError),
        watchdog.watching(exchange, timedelta(hours=1)),
    ):
        raise RuntimeError

    exchange.close(Ending.CANCELLED)
    assert exchange.ending is None
    assert watchdog._heap == []


def test_threads_do_not_share_a_connection(
    raw: Callable[[Play], RawServer], clients_of: Callable[[str], ThreadClients]
) -> None:
    """So the connection that a thread opened last is the one of its exchange."""
    server = raw(always(GOOD))
    clients = clients_of(server.url)
    together = threading.Barrier(4)

    def work() -> tuple[int, int]:
        together.wait(10)
        for _ in range(3):
            get(clients.mine())
        return id(clients.mine()), id(clients.mine())

    with ThreadPoolExecutor(4) as pool:
        found = [job.result() for job in [pool.submit(work) for _ in range(4)]]

    assert len({first for first, _ in found}) == 4
    assert all(first == second for first, second in found)
    assert server.connections == 4
    assert len(server.requests) == 12


def test_proxies_of_the_environment_are_ignored(
    raw: Callable[[Play], RawServer],
    clients_of: Callable[[str], ThreadClients],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only our settings say where a token goes."""
    proxy, server = raw(always(GOOD)), raw(always(GOOD))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("ALL_PROXY", proxy.url)

    get(clients_of(server.url).mine())

    assert (len(proxy.requests), len(server.requests)) == (0, 1)


@pytest.mark.parametrize("url", ["https://stra\u00dfe.example", "https://xn--strae-oqa.example"])
def test_a_name_is_looked_up_as_it_stands_in_the_host_header(
    url: str, clients_of: Callable[[str], ThreadClients], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own rules for names would find another host here, and give it our token."""
    asked: list[object] = []

    def look_up(host: object, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    with pytest.raises(httpx.ConnectError):
        get(clients_of(url).mine())

    assert asked == [b"xn--strae-oqa.example"]


@pytest.mark.parametrize("host", ["gateway..svc", ".gateway", "a" * 64 + ".svc"])
def test_a_name_that_is_none_cannot_be_connected_to(
    host: str, clients_of: Callable[[str], ThreadClients]
) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(httpx.ConnectError):
            get(clients_of(f"{scheme}://{host}").mine())


@pytest.mark.parametrize("value", ["a\udcffb", "a\rb", "a\nb", "a\0b"])
def test_a_header_that_cannot_be_sent_is_an_error_without_its_value(value: str) -> None:
    clients = ThreadClients(
        base_url="http://127.0.0.1:9", headers={"X-Token": value}, read=timedelta(seconds=1)
    )

    with pytest.raises(httpx.LocalProtocolError) as raised:
        get(clients.mine())

    assert value not in str(raised.value)
    assert raised.value.__cause__ is None
