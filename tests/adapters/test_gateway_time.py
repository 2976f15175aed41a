"""Who ends an ask: its time-out, or the claim that was lost."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Claim
from dispatcher.sandbox.gateway.server import ScriptedGateway
from tests.adapters.gateway_desk import Desk, healthy, response, said
from tests.adapters.raw_server import Line, Play, RawServer, Request, answer
from tests.waiting import until


def warmed(desk: Desk, *, is_first: bool) -> Desk:
    """Ask on the thread's first connection, or after another thread found out the version."""
    if not is_first:
        desk.know_version()
    return desk


@pytest.mark.parametrize("is_first", [True, False], ids=["first ask", "later ask"])
def test_a_silent_agent_is_timed_out(
    gateway: ScriptedGateway, desk_at: Callable[..., Desk], is_first: bool
) -> None:
    """The connection is closed, which aborts the run."""
    desk = warmed(desk_at(gateway.url, timeout_s=1.0), is_first=is_first)
    gateway.set_rules([{"contains": "wait", "delay_s": 20}])
    began = time.monotonic()

    with pytest.raises(errors.AskTimedOut):
        desk.ask("wait")

    assert time.monotonic() - began < 10
    until(lambda: gateway.ledger()[-1]["outcome"], lambda outcome: outcome == "aborted")


@pytest.mark.parametrize("is_first", [True, False], ids=["first ask", "later ask"])
def test_item_75_the_time_out_is_for_the_whole_exchange(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], is_first: bool
) -> None:
    """An answer that drips byte by byte satisfies every read limit, and never ends."""

    def drip(request: Request, line: Line) -> bool:
        if b"[[reply:warm]]" in request.body:
            return line.send(answer(200, response(said("warm"))))
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        line.drip(b"{" * 100_000, every_s=0.02, limit_s=20)
        return False

    desk = warmed(desk_at(raw(healthy(drip)).url, timeout_s=1.0), is_first=is_first)
    began = time.monotonic()

    with pytest.raises(errors.AskTimedOut):
        desk.ask()

    assert time.monotonic() - began < 10


@pytest.mark.parametrize("is_first", [True, False], ids=["first ask", "later ask"])
def test_dripping_headers_are_timed_out(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], is_first: bool
) -> None:
    """Before the first byte of the body the same limit holds."""

    def drip(request: Request, line: Line) -> bool:
        if b"[[reply:warm]]" in request.body:
            return line.send(answer(200, response(said("warm"))))
        line.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 50_000, every_s=0.02, limit_s=20)
        return False

    desk = warmed(desk_at(raw(healthy(drip)).url, timeout_s=1.0), is_first=is_first)
    began = time.monotonic()

    with pytest.raises(errors.AskTimedOut):
        desk.ask()

    assert time.monotonic() - began < 10


def begin_without_a_length(request: Request, line: Line) -> bool:
    """Answer as old proxies do: the end of the connection is the end of the body."""
    line.send(b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"object":"response",')
    return not line.hang()


def test_half_a_body_that_we_ended_at_the_deadline_is_a_time_out(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """Our own end of the connection must not look like the end of the answer."""
    desk = desk_at(raw(healthy(begin_without_a_length)).url, timeout_s=0.3)

    with pytest.raises(errors.AskTimedOut):
        desk.ask()


def test_half_a_body_that_we_ended_for_a_lost_claim_is_no_answer(
    raw: Callable[[Play], RawServer],
    desk_at: Callable[..., Desk],
    beside: Callable[..., "Future[Any]"],
) -> None:
    begun = threading.Event()

    def begin(request: Request, line: Line) -> bool:
        begun.set()
        return begin_without_a_length(request, line)

    desk = desk_at(raw(healthy(begin)).url)
    ask = beside(desk.ask)
    assert begun.wait(5)

    desk.hold.lose()

    with pytest.raises(errors.AskCancelled):
        ask.result(10)


@pytest.mark.parametrize("is_first", [True, False], ids=["first ask", "later ask"])
def test_a_lost_claim_ends_a_hanging_ask_at_once(
    gateway: ScriptedGateway,
    desk_at: Callable[..., Desk],
    beside: Callable[..., "Future[Any]"],
    is_first: bool,
) -> None:
    """Another worker may hold the mailbox; the agent must not go on for us."""
    desk = warmed(desk_at(gateway.url), is_first=is_first)
    ask = beside(desk.ask, "[[hang]]")
    until(gateway.ledger, lambda rows: rows and rows[-1]["reply"] is None and is_running(rows[-1]))

    desk.hold.lose()

    try:
        with pytest.raises(errors.AskCancelled):
            ask.result(10)
        until(lambda: gateway.ledger()[-1]["outcome"], lambda outcome: outcome == "aborted")
    finally:
        gateway.refuse(True)  # or an ask that was not closed would hang on


def is_running(row: dict[str, Any]) -> bool:
    return row["started_at"] is not None and row["ended_at"] is None


def test_cancelling_after_an_ask_closes_the_next_one_of_the_same_claim_only(
    gateway: ScriptedGateway, desk: Desk, claim: Claim
) -> None:
    """Another claim on the same thread and connection is none of its business."""
    assert desk.ask("[[reply:one]]").text == "one"

    desk.hold.cancel()

    with pytest.raises(errors.AskCancelled):
        desk.ask("[[reply:never]]")
    assert Desk(desk.gateway, claim).ask("[[reply:two]]").text == "two"


def test_an_ask_under_a_claim_that_is_lost_already_is_not_sent(
    gateway: ScriptedGateway, desk: Desk
) -> None:
    """The loss may come between the last check and the ask."""
    desk.know_version()
    asked = len(gateway.ledger())
    desk.hold.lose()

    with pytest.raises(errors.AskCancelled):
        desk.ask("[[reply:one]]")

    assert len(gateway.ledger()) == asked


def test_a_dripping_look_does_not_hold_up_an_ask(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """The look before the first ask must end as well, whatever the gateway sends."""

    def drip(_request: Request, line: Line) -> bool:
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        line.drip(b" " * 100_000, every_s=0.05, limit_s=7)
        return False

    desk = desk_at(raw(drip).url, timeout_s=0.3)
    began = time.monotonic()

    with pytest.raises(errors.GatewayError):
        desk.ask()

    assert time.monotonic() - began < 6.5
