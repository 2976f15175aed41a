"""The gateway over HTTP: what a reply is, what each failure is called, and who ends an ask."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from dispatcher.adapters.answers import read_answer
from dispatcher.adapters.clock import MachineClock
from dispatcher.adapters.gateway import OpenClawGateway, gateway_session_key, is_supported
from dispatcher.domain import errors
from dispatcher.domain.delivery import Claim
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.reply import Reply, ToolCall
from dispatcher.ports import Ask
from dispatcher.sandbox.gateway.server import ScriptedGateway
from tests.adapters.conftest import SESSION_KEY
from tests.adapters.raw_server import Line, Play, RawServer, Request, always, answer
from tests.waiting import until
from workers.renewer import HeldClaim

READY = answer(200, {"ready": True, "failing": []})
STARTED = answer(200, {"ok": True, "status": "started", "version": "2026.9.6"})
CROWD = ("engineer", "writer", "squad-lead")


class Desk:
    """Asks a gateway as a worker thread does, with a real hold on a claim."""

    def __init__(self, gateway: OpenClawGateway, claim: Claim) -> None:
        self.gateway = gateway
        self.hold = HeldClaim(
            claim,
            clock=MachineClock(),
            good_for=timedelta(hours=1),
            since=MachineClock().monotonic(),
        )

    def ask(self, text: str = "@engineer hello", **changes: Any) -> Reply:
        facts = {"agent": "engineer", "session_key": SESSION_KEY, "instructions": "Be brief."}
        return self.gateway.ask(Ask(**(facts | {"text": text} | changes)), hold=self.hold)

    def know_version(self) -> None:
        """Let another thread find out the version, so that this one has no connection yet."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.ask, "[[reply:warm]]").result()


@pytest.fixture
def desk_at(claim: Claim) -> Iterator[Callable[..., Desk]]:
    """Make adapters; all their connections are closed after the test."""
    made: list[OpenClawGateway] = []

    def make(url: str, *, token: str | None = None, timeout_s: float = 10.0) -> Desk:
        gateway = OpenClawGateway(
            url=url,
            token=None if token is None else SecretStr(token),
            timeout=timedelta(seconds=timeout_s),
            clock=MachineClock(),
        )
        made.append(gateway)
        return Desk(gateway, claim)

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedGateway]]:
    """Start scripted gateways; all are stopped after the test."""
    running: list[ScriptedGateway] = []

    def start(**settings: Any) -> ScriptedGateway:
        running.append(ScriptedGateway(**({"agents": CROWD} | settings)).start())
        return running[-1]

    yield start
    for gateway in running:
        gateway.stop()


@pytest.fixture
def gateway(scripted: Callable[..., ScriptedGateway]) -> ScriptedGateway:
    return scripted()


@pytest.fixture
def desk(gateway: ScriptedGateway, desk_at: Callable[..., Desk]) -> Desk:
    return desk_at(gateway.url)


@pytest.fixture
def beside() -> Iterator[Callable[..., "Future[Any]"]]:
    """Run calls beside the test."""
    with ThreadPoolExecutor(8) as pool:
        yield pool.submit


def healthy(respond: Play) -> Play:
    """Answer looks as a healthy gateway does, and asks with ``respond``."""

    def play(request: Request, line: Line) -> bool:
        known = {"/readyz": READY, "/startupz": STARTED}.get(request.path)
        return line.send(known) if known else respond(request, line)

    return play


def response(*output: object, **more: Any) -> dict[str, Any]:
    facts = {"id": "resp_1", "object": "response", "status": "completed", "output": list(output)}
    return facts | more


def said(text: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content} | more


def read(body: object, status: int = 200) -> Reply:
    return read_answer(status, json.dumps(body).encode())


# Replies


def test_a_reply_comes_back(desk: Desk) -> None:
    """The plainest promise of all."""
    assert desk.ask("[[reply:The build is green.]]") == Reply(
        text="The build is green.", usage=desk.ask("[[reply:The build is green.]]").usage
    )


def test_commentary_is_not_part_of_the_reply(desk: Desk) -> None:
    """What a model says beside its work is not for the thread."""
    assert desk.ask("[[commentary:Let me look.]][[reply:Green.]]").text == "Green."


def test_usage_is_counted(desk: Desk) -> None:
    """Tokens cost money."""
    usage = desk.ask("[[reply:Green.]]").usage

    assert usage.input_tokens > 1000
    assert usage.output_tokens >= 1


def test_an_incomplete_reply_is_marked(desk: Desk) -> None:
    """The text is what the model got to before its limit."""
    reply = desk.ask("[[incomplete]][[reply:Half a]]")

    assert reply.is_incomplete
    assert reply.text.startswith("Half a")


def test_several_messages_and_parts_are_joined() -> None:
    """In the gateway's order, each stripped, blanks left out."""
    parts = [{"type": "output_text", "text": text} for text in (" a ", "  ", "b\n")]

    reply = read(response(said("x", content=parts), said("  "), said("c", content=" plain ")))

    assert reply.text == "a\nb\n\nplain"


def test_tool_calls_are_read_in_order() -> None:
    """Arguments come as text; an object is serialised, nothing is an empty text."""
    reply = read(
        response(
            said("I shall look.", phase="commentary"),
            {"type": "function_call", "call_id": "c1", "name": "a", "arguments": '{"x": 1}'},
            {"type": "function_call", "call_id": "c2", "name": "b", "arguments": {"ä": [1, None]}},
            {"type": "function_call", "call_id": "c3", "name": "c"},
        )
    )

    assert reply.tool_calls == (
        ToolCall(call_id="c1", name="a", arguments='{"x": 1}'),
        ToolCall(call_id="c2", name="b", arguments='{"ä": [1, null]}'),
        ToolCall(call_id="c3", name="c", arguments=""),
    )
    assert reply.text == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"call_id": ""},
        {"call_id": None},
        {"call_id": 5},
        {"name": ""},
        {"name": None},
        {"name": []},
    ],
)
def test_a_tool_call_without_id_or_name_is_dropped(wrong: dict[str, Any]) -> None:
    """It could be neither run nor answered."""
    call = {"type": "function_call", "call_id": "c1", "name": "a", "arguments": "{}"}

    assert read(response(said("Done."), call | wrong)).tool_calls == ()


def test_an_older_gateway_says_incomplete_with_tool_calls() -> None:
    """Nothing was cut then."""
    call = {"type": "function_call", "call_id": "c1", "name": "a", "arguments": "{}"}

    reply = read(response(call, status="incomplete"))

    assert len(reply.tool_calls) == 1
    assert not reply.is_incomplete


@pytest.mark.parametrize(
    "output",
    [
        [None, 5, "x", []],
        [{"type": "reasoning", "content": "hm"}],
        [{"type": "message"}],
        [{"type": "message", "content": {"a": 1}}],
        [{"type": "message", "content": [None, 5, {"text": 5}, {"text": None}]}],
        [{"type": ["message"], "content": "x"}],
    ],
)
def test_strange_items_say_nothing(output: list[Any]) -> None:
    """An unknown item of a newer gateway must not stop the reply beside it."""
    assert read(response(*output, said("Done."))).text == "Done."


@pytest.mark.parametrize(
    "usage",
    [None, 5, [], {}, {"input_tokens": "5"}, {"input_tokens": -1}, {"input_tokens": 1e300},
     {"input_tokens": float("nan")}, {"input_tokens": None}],
)  # fmt: skip
def test_a_strange_usage_counts_nothing(usage: object) -> None:
    """A reply is worth more than its price tag."""
    reply = read(response(said("Done."), usage=usage))

    assert (reply.text, reply.usage.input_tokens) == ("Done.", 0)


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
    client = desk.gateway._clients.mine().client
    rows: list[dict[str, Any]] = client.get("/sandbox/ledger").json()
    return rows


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
def test_a_2xx_that_is_no_reply_is_a_failure(body: bytes) -> None:
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


# Time-outs, lost lines, cancelling


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
    desk = warmed(desk_at(gateway.url, timeout_s=0.3), is_first=is_first)
    gateway.set_rules([{"contains": "wait", "delay_s": 2}])
    began = time.monotonic()

    with pytest.raises(errors.AskTimedOut):
        desk.ask("wait")

    assert time.monotonic() - began < 1.5
    until(lambda: gateway.ledger()[-1]["outcome"], lambda outcome: outcome == "aborted")


@pytest.mark.parametrize("is_first", [True, False], ids=["first ask", "later ask"])
def test_the_time_out_is_for_the_whole_exchange(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], is_first: bool
) -> None:
    """An answer that drips byte by byte satisfies every read limit, and never ends."""

    def drip(request: Request, line: Line) -> bool:
        if b"[[reply:warm]]" in request.body:
            return line.send(answer(200, response(said("warm"))))
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        line.drip(b"{" * 100_000, every_s=0.02, limit_s=2.5)
        return False

    desk = warmed(desk_at(raw(healthy(drip)).url, timeout_s=0.3), is_first=is_first)
    began = time.monotonic()

    with pytest.raises(errors.AskTimedOut):
        desk.ask()

    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("is_first", [True, False], ids=["first ask", "later ask"])
def test_dripping_headers_are_timed_out(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], is_first: bool
) -> None:
    """Before the first byte of the body the same limit holds."""

    def drip(request: Request, line: Line) -> bool:
        if b"[[reply:warm]]" in request.body:
            return line.send(answer(200, response(said("warm"))))
        line.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 50_000, every_s=0.02, limit_s=2.5)
        return False

    desk = warmed(desk_at(raw(healthy(drip)).url, timeout_s=0.3), is_first=is_first)
    began = time.monotonic()

    with pytest.raises(errors.AskTimedOut):
        desk.ask()

    assert time.monotonic() - began < 1.5


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
            ask.result(1)
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


# What is sent


def test_the_request_is_the_agreed_one(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """The schema is strict: any other field is refused."""
    server = raw(healthy(always(answer(200, response(said("Done."))))))

    desk_at(server.url, token="gw-token").ask("Grüße 😀", agent="Engineer")

    request = server.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.headers["authorization"] == "Bearer gw-token"
    assert request.headers["x-openclaw-session-key"] == f"agent:engineer:{SESSION_KEY}"
    assert request.json() == {
        "model": "openclaw/engineer",
        "instructions": "Be brief.",
        "input": "Grüße 😀",
    }


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_no_authorization_is_sent(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], token: str | None
) -> None:
    """A gateway without authentication takes any header; a proxy may not."""
    server = raw(healthy(always(answer(200, response(said("Done."))))))

    desk_at(server.url, token=token).ask()

    assert not any("authorization" in request.headers for request in server.requests)


def test_the_token_is_shown_and_a_wrong_one_is_a_matter_of_configuration(
    scripted: Callable[..., ScriptedGateway], desk_at: Callable[..., Desk]
) -> None:
    """An operator has to look; the delivery is not at fault."""
    gateway = scripted(token="right")

    assert desk_at(gateway.url, token="right").ask("[[reply:yes]]").text == "yes"
    with pytest.raises(errors.GatewayMisconfigured) as raised:
        desk_at(gateway.url, token="wrong-secret").ask()

    assert "wrong-secret" not in str(raised.value)


@pytest.mark.parametrize(("token", "expected"), [("right", True), ("wrong", False), (None, False)])
def test_doctor_can_ask_whether_the_token_is_taken(
    scripted: Callable[..., ScriptedGateway],
    desk_at: Callable[..., Desk],
    token: str | None,
    expected: bool,
) -> None:
    """Without running an agent."""
    gateway = scripted(token="right")

    assert desk_at(gateway.url, token=token).gateway.accepts_token() is expected


def test_whether_the_token_is_taken_cannot_be_told_of_a_gateway_that_is_away(
    gateway: ScriptedGateway, desk: Desk
) -> None:
    """Away is not wrong."""
    gateway.refuse(True)

    assert desk.gateway.accepts_token() is None


def test_the_session_key_is_in_the_gateways_form(gateway: ScriptedGateway, desk: Desk) -> None:
    """The backend's bare key would run the default agent, or none."""
    desk.ask(agent="Squad-Lead", session_key=SessionKey("task:T1:agent:Squad-Lead:ACC:v1"))

    row = gateway.ledger()[-1]
    assert row["agent"] == "squad-lead"
    assert row["session_key"] == "agent:squad-lead:task:t1:agent:squad-lead:acc:v1"
    assert gateway_session_key("Beta", SessionKey("system:X")) == "agent:beta:system:x"


@pytest.mark.parametrize(
    "slug",
    ["", " ", "a b", "-lead", "_x", "a/b", "a:b", "ä", "x" * 65, "a\r\nX-Evil: 1", "eng\u017f",
     "\u212aate", "a\n"],
)  # fmt: skip
def test_a_slug_that_no_gateway_can_have_is_an_unavailable_agent(
    gateway: ScriptedGateway, desk: Desk, slug: str
) -> None:
    """It may be renamed; until then it waits, and nothing is sent."""
    with pytest.raises(errors.AgentUnavailable):
        desk.ask(agent=slug)

    assert gateway.ledger() == []


@pytest.mark.parametrize("key", ["a b", "a\r\nX-Evil: 1", "ä", "x" * 600, "\x00", "\ud800", "a\n"])
def test_a_key_that_fits_no_header_is_refused(
    gateway: ScriptedGateway, desk: Desk, key: str
) -> None:
    """It must not become a header of its own."""
    with pytest.raises(errors.AskRefused):
        desk.ask(session_key=SessionKey(key))

    assert gateway.ledger() == []


def test_a_prompt_over_20_mib_is_refused_unsent(gateway: ScriptedGateway, desk: Desk) -> None:
    """The gateway would cut the line while we still send."""
    with pytest.raises(errors.AskRefused):
        desk.ask("x" * (20 * 1024 * 1024 + 1))

    assert gateway.ledger() == []


@pytest.mark.parametrize("text", ["half \ud83d", "\udc00", "pair \ud83d\ude00"])
def test_a_lone_surrogate_in_a_prompt_is_cleaned(
    gateway: ScriptedGateway, desk: Desk, text: str
) -> None:
    """The backend cuts threads between units; the agent shall be asked all the same."""
    desk.ask(text)

    gateway.ledger()[-1]["input_text"].encode()


def test_an_empty_url_means_that_sending_is_off(desk_at: Callable[..., Desk]) -> None:
    """No attempt is spent on it."""
    desk = desk_at("")

    with pytest.raises(errors.GatewayMisconfigured, match="OPENCLAW_GATEWAY_URL"):
        desk.ask()

    assert "OPENCLAW_GATEWAY_URL" in (desk.gateway.look().problem or "")


# Connections


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


# Looking


def looks(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], ready: bytes, started: bytes
) -> Desk:
    answers = {"/readyz": ready, "/startupz": started}
    return desk_at(raw(lambda request, line: line.send(answers[request.path])).url)


def test_a_ready_gateway_is_ready(desk: Desk) -> None:
    """And tells its version."""
    state = desk.gateway.look()

    assert (state.is_ready, state.version, state.problem) == (True, "2026.9.6", None)
    assert not state.is_too_old


def test_a_starting_gateway_is_not_ready_yet(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """It says what it waits for."""
    starting = answer(503, {"ready": False, "failing": ["startup-sidecars"]})
    desk = looks(raw, desk_at, starting, answer(503, {"ok": False, "status": "starting"}))

    state = desk.gateway.look()

    assert not state.is_ready
    assert not state.is_too_old
    assert "startup-sidecars" in (state.problem or "")


def test_a_draining_gateway_is_not_ready(gateway: ScriptedGateway, desk: Desk) -> None:
    """It will be back after its restart."""
    gateway.drain()

    state = desk.gateway.look()

    assert not state.is_ready
    assert not state.is_too_old
    assert "gateway-draining" in (state.problem or "")


def test_a_gateway_that_is_away_is_not_ready(gateway: ScriptedGateway, desk: Desk) -> None:
    """The problem says what to check."""
    gateway.refuse(True)

    state = desk.gateway.look()

    assert not state.is_ready
    assert not state.is_too_old
    assert "OPENCLAW_GATEWAY_URL" in (state.problem or "")


def test_a_proxy_without_gateway_is_not_called_too_old(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """The gateway behind it is down; asks wait for it, and upgrading would not help."""
    page = answer(502, "<html>Bad Gateway</html>")

    state = looks(raw, desk_at, page, page).gateway.look()

    assert not state.is_ready
    assert not state.is_too_old
    assert "Upgrade" not in (state.problem or "")


def test_an_old_version_is_refused_with_what_to_do(
    scripted: Callable[..., ScriptedGateway], desk_at: Callable[..., Desk]
) -> None:
    """It would post provider errors as replies."""
    gateway = scripted(version="2026.2.19")
    desk = desk_at(gateway.url)

    state = desk.gateway.look()
    with pytest.raises(errors.GatewayMisconfigured, match=r"2026\.2\.19"):
        desk.ask()

    assert (state.is_ready, state.is_too_old) == (False, True)
    assert "Upgrade" in (state.problem or "")
    assert gateway.ledger() == []


def test_a_gateway_that_answers_every_get_with_a_page_is_refused(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """That is how the old ones are: they know no /readyz."""
    server = raw(always(answer(200, "<!doctype html><html></html>")))
    desk = desk_at(server.url)

    state = desk.gateway.look()
    with pytest.raises(errors.GatewayMisconfigured, match="Upgrade"):
        desk.ask()

    assert (state.is_ready, state.is_too_old) == (False, True)
    assert not any(request.method == "POST" for request in server.requests)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"5", b"\xff\xfe\xfa", b"[" * 100_000, b'{"ready": "yes"}']
)
def test_a_look_never_raises(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], body: bytes
) -> None:
    """Health has to show it, whatever it is."""
    state = looks(raw, desk_at, answer(200, body), answer(200, body)).gateway.look()

    assert not state.is_ready
    assert state.problem


def test_a_look_at_what_is_not_http_never_raises(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """Another service may listen on the port."""
    state = desk_at(raw(always(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")).url).gateway.look()

    assert not state.is_ready
    assert state.problem


def test_the_version_is_looked_at_once_for_many_asks(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """Two more requests for each ask would be a heavy price."""
    server = raw(healthy(always(answer(200, response(said("Done."))))))
    desk = desk_at(server.url)

    for _ in range(5):
        desk.ask()

    assert [request.path for request in server.requests].count("/readyz") == 1


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2026.9.6", True), ("v2026.7.0", True), ("2026.7", True), ("2026.10.1-beta", True),
        ("2027.1.1", True), ("2026.6.35", False), ("2026.2.19", False), ("2025.12.1", False),
        ("dev", True), ("", True),
    ],
)  # fmt: skip
def test_versions_are_compared_as_numbers(version: str, expected: bool) -> None:
    """2026.10 is younger than 2026.9; one that we cannot read passes."""
    assert is_supported(version) is expected
