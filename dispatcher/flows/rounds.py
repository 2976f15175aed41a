"""The rounds of a turn: ask, run the tools that are called, bring their results, until the last word.

Each answer is stored before anything else is done, so that it is never paid for again; the last one
by whoever asked for it, together with what comes next.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from dispatcher.domain.catalogue import offered
from dispatcher.domain.errors import (
    AgentUnavailable,
    AskRefused,
    GatewayError,
    GatewayMisconfigured,
    GatewayUnavailable,
)
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Agent
from dispatcher.domain.redact import without_turn_tokens
from dispatcher.domain.reply import Reply
from dispatcher.domain.retry import cause_of
from dispatcher.domain.rights import Rights
from dispatcher.domain.tools import Tool
from dispatcher.flows.desk import Attempt
from dispatcher.flows.tools import run_calls
from dispatcher.ports import Ask

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What an agent is asked in a turn.

    Attributes:
        slug: The agent.
        rights: What it may do now; those of the first ask count once they are journalled.
        crew: Whom its tools may name.
        instructions: What it is told to be, for an ask with this journal.
        first: Gives the journal of the first ask, with session key and all that has to be known later.
        text: The prompt of the first ask.
    """

    slug: str
    rights: Rights
    crew: Sequence[Agent]
    instructions: Callable[[Journal], str]
    first: Callable[[Journal], Journal]
    text: Callable[[], str]


def converse(attempt: Attempt, turn: Turn) -> Reply:
    """Ask the agent, run the tools that it calls, and ask on, until it has said its last word.

    The last answer stands in the attempt's journal and is still to be written.

    Raises:
        GatewayError: No reply came.
        BackendError: A tool could not be run; the next attempt goes on with it.
        LeaseLost: The claim is gone; an answer that was not stored is thrown away.
    """
    stored = attempt.journal.reply
    reply = stored if stored is not None and stored.tool_calls else _first_ask(attempt, turn)
    while attempt.journal.has_open_calls:
        with attempt.timed("tools"):
            run_calls(attempt, rights=attempt.journal.rights or turn.rights, crew=turn.crew)
        reply = _ask_on(attempt, turn)
    return reply


def _first_ask(attempt: Attempt, turn: Turn) -> Reply:
    journal = attempt.journal
    asking = turn.first(journal).evolve(
        stage=Stage.ASKED, asks=journal.asks + 1, rights=turn.rights
    )
    request = replace(_request(turn, asking), text=turn.text(), tools=_tools(attempt, asking))
    return _exchange(attempt, asking, request)


def _ask_on(attempt: Attempt, turn: Turn) -> Reply:
    """Bring the results of a round to the agent; after the last round no tools are offered."""
    journal = attempt.journal
    rights = journal.rights or turn.rights
    asking = journal.evolve(
        stage=Stage.ASKED,
        asks=journal.asks + 1,
        rights=rights,
        requests=journal.requests + _requests_in(journal),
    )
    is_last = journal.rounds >= attempt.desk.tool_rounds
    request = replace(
        _request(turn, asking),
        results=journal.results,
        tools=() if is_last else _tools(attempt, asking),
    )
    return _exchange(attempt, asking, request)


def _requests_in(journal: Journal) -> int:
    # An ask that is repeated brings the same results: they are counted once.
    if journal.stage is Stage.ASKED:
        return 0
    done = (one for one in journal.results if one.name == "response_request")
    return sum(json.loads(one.text).get("success") is True for one in done)


def _tools(attempt: Attempt, asking: Journal) -> tuple[Tool, ...]:
    if asking.rights is None or not attempt.desk.has_client_tools:
        return ()
    return offered(asking.rights)


def _request(turn: Turn, asking: Journal) -> Ask:
    return Ask(
        agent=turn.slug,
        session_key=asking.session_key or SessionKey(""),
        instructions=turn.instructions(asking),
        text="",
    )


def _exchange(attempt: Attempt, asking: Journal, request: Ask) -> Reply:
    """Send one ask with the journal around it."""
    before = attempt.journal
    attempt.write(asking)
    attempt.hold.check()
    try:
        with attempt.timed("ask"):
            reply = _timed_ask(attempt, request)
    except (GatewayUnavailable, GatewayMisconfigured, AgentUnavailable, AskRefused):
        # Not taken: the next ask is no repetition.
        attempt.write(asking.evolve(asks=before.asks))
        raise
    # Everybody reads what is said, and the journal is kept for long.
    reply = replace(reply, text=without_turn_tokens(reply.text))
    if not request.tools:
        # After the last round nothing is run any more, whatever the agent would like.
        reply = replace(reply, tool_calls=())
    # The last words of an agent may stand beside its last calls.
    said = reply.text or before.said
    if not reply.tool_calls and not reply.text and said:
        reply = replace(reply, text=said)
    answered = asking.evolve(
        stage=Stage.ANSWERED,
        reply=reply,
        answers=asking.answers + 1,
        rounds=asking.rounds + bool(reply.tool_calls),
        results=(),
        calls_begun=0,
        said=said if reply.tool_calls else "",
        attempts_spent=0 if reply.tool_calls else attempt.claim.attempts,
    )
    attempt.journal, attempt.has_unwritten_answer = answered, True
    if reply.tool_calls:
        attempt.keep_answer()
    return reply


def _timed_ask(attempt: Attempt, request: Ask) -> Reply:
    desk = attempt.desk
    began = desk.clock.monotonic()
    result = "answered"
    try:
        reply = desk.gateway.ask(request, hold=attempt.hold)
    except GatewayError as error:
        result = cause_of(error).value
        raise
    finally:
        took = timedelta(seconds=desk.clock.monotonic() - began)
        desk.tally.asked(result=result, took=took)
    desk.tally.used(agent=request.agent, reply=reply)
    _log.debug(
        "%s answered in %.1f s",
        request.agent,
        took.total_seconds(),
        extra=attempt.fields("ask"),
    )
    return reply
