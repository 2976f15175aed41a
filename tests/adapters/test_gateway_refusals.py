"""Asks that fail: what each failure is called, and how long the gateway wants to be left alone."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dispatcher.adapters.answers import read_answer
from dispatcher.domain import errors
from dispatcher.sandbox.gateway.server import ScriptedGateway
from tests.adapters.gateway_desk import Desk, healthy, read, response
from tests.adapters.raw_server import Line, Play, RawServer, Request, always, answer

# Failures, by the table of the contract


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("error:400", errors.AskRefused),
        ("error:provider400", errors.AskRefused),
        ("error:401", errors.GatewayMisconfigured),
        ("error:provider401", errors.AgentUnavailable),
        ("error:provider403", errors.AgentUnavailable),
        ("error:provider402", errors.AgentUnavailable),
        ("error:provider404", errors.AgentUnavailable),
        ("error:404", errors.GatewayMisconfigured),
        ("error:405", errors.GatewayMisconfigured),
        ("error:413", errors.AskRefused),
        ("error:408", errors.GatewayUnavailable),
        ("error:provider429", errors.AgentUnavailable),
        ("error:500", errors.AskFailed),
        ("error:502", errors.AskFailed),
        ("error:503", errors.GatewayUnavailable),
        ("error:proxy502", errors.GatewayUnavailable),
        ("error:proxy504", errors.GatewayUnavailable),
        ("error:proxy503", errors.GatewayUnavailable),
        ("garbage", errors.AskFailed),
        ("brokenjson", errors.AskFailed),
        ("failed", errors.AskFailed),
        ("silence", errors.AskFailed),
        ("drop", errors.AskLost),
    ],
)
def test_a_failure_is_named_by_what_it_means(
    desk: Desk, marker: str, expected: type[errors.GatewayError]
) -> None:
    """Whether an attempt is spent, and who waits, hangs on this table."""
    with pytest.raises(errors.GatewayError) as raised:
        desk.ask(f"[[{marker}]]")

    assert type(raised.value) is expected


def test_unpaid_bills_give_the_agent_a_long_rest(desk: Desk) -> None:
    """The gateway itself closes that agent for ten minutes."""
    with pytest.raises(errors.AgentUnavailable) as raised:
        desk.ask("[[error:provider402]]")

    assert raised.value.rest == timedelta(minutes=10)


def test_the_gateways_own_429_is_the_gateways() -> None:
    """Too many wrong tokens close the whole gateway to us, not one agent."""
    body = {"error": {"message": "Too many failures", "type": "rate_limited"}}

    with pytest.raises(errors.GatewayUnavailable) as raised:
        read_answer(429, json.dumps(body).encode(), retry_after=timedelta(seconds=30))

    assert raised.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Unknown agent 'nobody'.", errors.AgentUnavailable),
        ("Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.", errors.AgentUnavailable),
        (': Unrecognized key: "instruction"', errors.GatewayMisconfigured),
        ("Missing user message in `input`.", errors.AskRefused),
        ("`x-openclaw-session-key` cannot use reserved internal session namespaces.",
         errors.AskRefused),
    ],
)  # fmt: skip
def test_a_400_before_the_run_is_told_apart_by_its_text(
    message: str, expected: type[errors.GatewayError]
) -> None:
    """An agent may be added while we wait; a field that is unknown stays unknown."""
    with pytest.raises(errors.GatewayError) as raised:
        read({"error": {"message": message, "type": "invalid_request_error"}}, 400)

    assert type(raised.value) is expected


def test_an_agent_that_the_gateway_does_not_have_is_unavailable(desk: Desk) -> None:
    """A key of an unknown agent is a nameless 500, and must not run another agent."""
    with pytest.raises(errors.GatewayError):
        desk.ask(agent="nobody")

    assert [row["agent"] for row in desk_rows(desk)] in ([None], ["nobody"])


def desk_rows(desk: Desk) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = desk.gateway._get("/sandbox/ledger")[1]
    return rows


# Answers of a strange form


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"Just text.",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe\xfa",
        b"[" * 200_000,
        b"{}",
        b'{"output": {}}',
        b'{"output": null}',
        b'{"status": "cancelled", "output": []}',
        b'{"status": "completed", "output": [], "error": {"message": "no"}}',
        b'{"status": ["completed"], "output": []}',
        b'{"status": {"a": 1}, "output": []}',
        b"1" * 10_000,
    ],
)
def test_item_74_a_2xx_that_is_no_reply_is_a_failure(body: bytes) -> None:
    """Raw JSON or a proxy's page is never posted into a thread."""
    with pytest.raises(errors.AskFailed):
        read_answer(200, body)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500, 502, 503])
@pytest.mark.parametrize(
    "error", [None, 5, "text", [], {"message": 5}, {"message": None}, {"code": []}]
)
def test_a_strange_error_object_is_still_an_error_of_ours(status: int, error: object) -> None:
    """Whatever comes, it is one of our errors."""
    with pytest.raises(errors.GatewayError):
        read(response(status="failed", error=error), status)


def test_an_error_text_is_redacted_and_short() -> None:
    """Provider messages quote keys."""
    message = "Incorrect key: Bearer sk-12345 for task:t1:agent:beta:v1 " + "x" * 5000

    with pytest.raises(errors.AskRefused) as raised:
        read(response(status="failed", error={"message": message}), 400)

    assert "sk-12345" not in str(raised.value)
    assert "task:t1" not in str(raised.value)
    assert len(str(raised.value)) < 600


def test_an_answer_over_32_mib_is_a_failure(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """A broken gateway must not fill the memory."""
    lines: list[Line] = []
    total = 256 * 1024 * 1024

    def flood(_request: Request, line: Line) -> bool:
        lines.append(line)
        line.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        while line.sent < total and line.send(b" " * 1_048_576):
            pass
        return False

    with pytest.raises(errors.AskFailed):
        desk_at(raw(healthy(flood)).url).ask()

    assert lines[0].sent < total / 2


# The gateway's wish


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("1", timedelta(seconds=1)),
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        ("9999999999", timedelta(minutes=10)),
        ("9" * 5000, None),
        ("Sun, 22 Nov 2026 10:00:30 GMT", timedelta(seconds=30)),
        ("Sun, 22 Nov 2026 09:00:00 GMT", timedelta(0)),
        ("Sun, 22 Nov 2026 23:00:00 GMT", timedelta(minutes=10)),
        ("Sun, 22 Nov 2026 10:00:30", None),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
    ],
)
def test_retry_after_is_obeyed_when_it_makes_sense(
    raw: Callable[[Play], RawServer],
    desk_at: Callable[..., Desk],
    wish: str,
    expected: timedelta | None,
) -> None:
    """Seconds or a date; nonsense is no wish, and ten minutes are the most."""
    busy = answer(503, b"", Retry_After=wish, Date="Sun, 22 Nov 2026 10:00:00 GMT")
    server = raw(healthy(always(busy)))

    with pytest.raises(errors.GatewayUnavailable) as raised:
        desk_at(server.url).ask()

    assert raised.value.retry_after == expected


def test_a_draining_gateway_says_when(gateway: ScriptedGateway, desk: Desk) -> None:
    """It asks for a second."""
    gateway.drain()

    with pytest.raises(errors.GatewayUnavailable) as raised:
        desk.ask()

    assert raised.value.retry_after == timedelta(seconds=1)
