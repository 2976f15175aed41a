"""One ask from its body to its answer: check it, find its place, play its plan."""

import json
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from dispatcher.sandbox.gateway import answers
from dispatcher.sandbox.gateway.address import Address, find_address
from dispatcher.sandbox.gateway.answers import Answer
from dispatcher.sandbox.gateway.checks import BadRequest, Nameless, Refusal, ToolConflict
from dispatcher.sandbox.gateway.ledger import Ledger
from dispatcher.sandbox.gateway.play import calls_of, go_on, is_silent, play_fault, reply_of
from dispatcher.sandbox.gateway.rules import Rules, plan_for
from dispatcher.sandbox.gateway.schema import Ask, parse
from dispatcher.sandbox.gateway.script import Plan
from dispatcher.sandbox.gateway.sessions import Session, Sessions, Ticket


class Unplayable(Refusal):
    """The real gateway would do it, this one cannot: 501."""


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A request as it came in.

    Attributes:
        header: Reads one of its headers.
        raw: The body.
        connection: Watched while the ask waits, so that a client that goes away is noticed.
    """

    header: Callable[[str], str | None]
    raw: bytes
    connection: socket.socket


class Turns:
    """Plays asks; called from the thread of each connection.

    Attributes:
        rules: May be replaced at any time; asks that already run keep their plan.
    """

    def __init__(
        self,
        *,
        sessions: Sessions,
        ledger: Ledger,
        agents: Collection[str] | None,
        delay_s: float,
    ) -> None:
        self.rules = Rules()
        self._sessions = sessions
        self._ledger = ledger
        self._agents = agents
        self._delay_s = delay_s
        self._responses: dict[str, str] = {}

    def answer(self, seq: int, incoming: Incoming) -> Answer | None:
        """Answer one ask; None when the connection is to be closed without a word."""
        model = "openclaw"
        try:
            body = _decode(incoming.raw)
            model = str(body.get("model", model)) if isinstance(body, dict) else model
            ask = parse(body)
            if ask.stream:
                raise Unplayable
            address = find_address(ask, incoming.header, self._agents, self._responses.get)
            self._ledger.amend(
                seq,
                agent=address.agent,
                session_key=address.session_key,
                input_text=ask.text,
                seen_text=ask.text,
                tools=list(ask.tools),
            )
            answer = self._run(seq, ask, address, incoming.connection)
        except Refusal as refusal:
            answer = _refuse(refusal, model)
            self._ledger.ended(seq, answer.outcome, answer.status)
        return answer

    def _run(self, seq: int, ask: Ask, address: Address, line: socket.socket) -> Answer | None:
        key = address.session_key
        with self._sessions.place(seq, key, line) as ticket:
            if not ticket.wait_for_turn():
                # Like the real gateway: what was still queued never runs, and leaves nothing.
                self._ledger.ended(seq, "aborted", None)
                return None
            self._ledger.started(seq)
            session = self._sessions.session(key)
            round_before = session.round
            seen = session.take_text(ask.text)
            plan = self._plan(ask, address.agent, session)
            self._ledger.amend(seq, seen_text=seen, round=session.round, fault=plan.fault)
            if _wait(ticket, plan, self._delay_s):
                session.aborted = ask.text
                session.round = round_before
                self._ledger.ended(seq, "aborted", None)
                return None
            answer = self._play(seq, replace(ask, text=seen), plan, session)
            if answer is None or answer.outcome != "answered":
                session.round = round_before  # the same results will come again
            # Noted and left before the answer is sent: the client may ask again at once.
            self._note(seq, key, answer)
        return answer

    def _plan(self, ask: Ask, agent: str, session: Session) -> Plan:
        """Choose the plan; tool results go on with the plan of the message before them."""
        plan = plan_for(ask, agent, self.rules)
        if ask.outputs:
            session.round += 1
            return go_on(session.plan or Plan(), plan)
        session.plan, session.round = plan, 0
        if plan.fault is None or plan.times is None:
            return plan
        session.faults[plan.markers] += 1
        return plan if session.faults[plan.markers] <= plan.times else replace(plan, fault=None)

    def _play(self, seq: int, ask: Ask, plan: Plan, session: Session) -> Answer | None:
        if plan.fault is not None and plan.fault != "incomplete":
            return play_fault(plan.fault, ask.model)
        calls = calls_of(plan, ask, session.round)
        if ask.forced is not None and not any(ask.forced in {"*", call.name} for call in calls):
            message = "tool_choice=required was not satisfied by the agent response"
            return answers.failed(502, ask.model, ("api_error", message))
        reply = None if calls else reply_of(plan, ask)
        if reply is not None and is_silent(reply):
            return play_fault("silence", ask.model)
        self._ledger.amend(seq, reply=reply, calls=[call.name for call in calls])
        if plan.fault is not None:
            return answers.incomplete(ask.model, ask.text, reply or "")
        output = [answers.message(plan.commentary, "commentary")] if plan.commentary else []
        output += [answers.message(reply)] if reply is not None else answers.function_calls(calls)
        return answers.completed(ask.model, output, ask.text, reply or "")

    def _note(self, seq: int, key: str, answer: Answer | None) -> None:
        if answer is None:
            self._ledger.ended(seq, "dropped", None)
            return
        if answer.outcome == "answered":
            self._responses[json.loads(answer.body)["id"]] = key
        self._ledger.ended(seq, answer.outcome, answer.status)


def _decode(raw: bytes) -> object:
    try:
        return json.loads(raw or b"{}")  # the gateway, too, takes no body for an empty object
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()):
            raise BadRequest("Unexpected end of JSON input") from None
        raise BadRequest(f"Unexpected token at position {error.pos}: not valid JSON") from None
    except (UnicodeDecodeError, RecursionError):
        raise BadRequest("The body is not valid JSON") from None


def _refuse(refusal: Refusal, model: str) -> Answer:
    match refusal:
        case ToolConflict():
            return answers.failed(
                400, model, ("invalid_request_error", "invalid tool configuration")
            )
        case Unplayable():
            return answers.of_text(501, "The scripted gateway does not stream.")
        case Nameless():
            return answers.failed(500, model)
        case _:
            return answers.refused(400, str(refusal))


def _wait(ticket: Ticket, plan: Plan, usual_s: float) -> bool:
    """Let the run take its time; True when the client went away meanwhile."""
    if plan.fault == "hang":
        return ticket.gone.wait()
    return ticket.gone.wait(usual_s if plan.delay_s is None else plan.delay_s)
