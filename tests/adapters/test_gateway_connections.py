"""Connections to the gateway: lines that break, and lines that are used again."""

import socket
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from dispatcher.domain import errors
from dispatcher.domain.ids import SessionKey
from dispatcher.ports import Ask
from dispatcher.sandbox.gateway.server import ScriptedGateway
from tests.adapters.gateway_desk import Desk, healthy, response, said
from tests.adapters.raw_server import Line, Play, RawServer, Request, always, answer
from tests.waiting import until

# Lines that break


def test_a_line_that_breaks_after_sending_is_lost(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """The agent may have acted; nobody knows."""

    def cut(_request: Request, line: Line) -> bool:
        line.send(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"id": "resp')
        return False

    with pytest.raises(errors.AskLost):
        desk_at(raw(healthy(cut)).url).ask()


def test_a_gateway_that_crashes_in_mid_run_loses_the_ask(
    gateway: ScriptedGateway, desk: Desk, beside: Callable[..., "Future[Any]"]
) -> None:
    """After its restart the gateway runs the turn again by itself."""
    ask = beside(desk.ask, "[[hang]]")
    until(lambda: [row for row in gateway.ledger() if row["started_at"] is not None])

    gateway.refuse(True)

    with pytest.raises(errors.AskLost):
        ask.result(10)


def test_a_refused_connection_is_unavailable(desk_at: Callable[..., Desk]) -> None:
    """Nothing was sent: no attempt is spent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        desk = desk_at(f"http://127.0.0.1:{unused.getsockname()[1]}")

        with pytest.raises(errors.GatewayUnavailable):
            desk.ask()


def test_a_lost_ask_is_not_repeated(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """A second POST would run the agent twice."""
    server = raw(healthy(lambda _request, _line: False))

    with pytest.raises(errors.AskLost):
        desk_at(server.url).ask()

    assert [one.method for one in server.requests].count("POST") == 1


# Lines that are used again


def test_asks_of_a_thread_share_a_connection(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """As long as the gateway keeps it."""
    server = raw(healthy(always(answer(200, response(said("Done."))))))
    desk = desk_at(server.url)

    for _ in range(4):
        desk.ask()

    assert server.connections == 1


def test_a_connection_that_the_gateway_closed_while_idle_is_not_used(
    scripted: Callable[..., ScriptedGateway], desk_at: Callable[..., Desk]
) -> None:
    """It closes after 5 s; here after 0.2 s, long before our own 4 s: its end has arrived."""
    gateway = scripted(keep_alive_s=0.2)
    desk = desk_at(gateway.url)
    desk.ask("[[reply:one]]")
    server = gateway._server
    assert server is not None
    until(lambda: len(server._open), lambda count: count == 0)

    assert desk.ask("[[reply:two]]").text == "two"
    assert [row["outcome"] for row in gateway.ledger()] == ["answered", "answered"]


def test_a_connection_that_closes_just_as_we_ask_loses_the_ask(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """Nobody can tell it from a crash after the request was taken, so it is not repeated."""

    def once(request: Request, line: Line) -> bool:
        is_second = [one.method for one in server.requests].count("POST") > 1
        return not is_second and line.send(answer(200, response(said("Done."))))

    server = raw(healthy(once))
    desk = desk_at(server.url)
    desk.ask()

    with pytest.raises(errors.AskLost):
        desk.ask()


def test_a_restarted_gateway_is_asked_again_by_the_same_thread(
    gateway: ScriptedGateway, desk: Desk
) -> None:
    """The thread's old connection is broken."""
    desk.ask("[[reply:one]]")
    gateway.refuse(True)
    with pytest.raises(errors.GatewayUnavailable):
        desk.ask("[[reply:away]]")

    gateway.refuse(False)

    assert desk.ask("[[reply:two]]").text == "two"


def test_many_threads_ask_at_once(
    gateway: ScriptedGateway, desk: Desk, beside: Callable[..., "Future[Any]"]
) -> None:
    """Each gets its own reply."""
    gateway.set_rules([])

    asks = [
        beside(
            desk.gateway.ask,
            Ask(agent="engineer", session_key=SessionKey(f"task:{n}"), instructions="",
                text=f"[[reply:number {n}]]"),
            hold=desk.hold,
        )
        for n in range(16)
    ]  # fmt: skip

    assert [ask.result(10).text for ask in asks] == [f"number {n}" for n in range(16)]
