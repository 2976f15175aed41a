"""From a claimed delivery to the agent's reply: look, decide, ask.

Each step either goes on or ends the attempt with an outcome.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from dispatcher.domain import policy
from dispatcher.domain.catalogue import offered
from dispatcher.domain.delivery import Outcome, Resting, Settled, Spent
from dispatcher.domain.errors import (
    AgentUnavailable,
    AskRefused,
    BackendError,
    BackendGarbled,
    CredentialsRejected,
    CredentialsSuspected,
    DeploymentOff,
    GatewayError,
    GatewayMisconfigured,
    GatewayUnavailable,
)
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Context, Kind
from dispatcher.domain.prompt import build_instructions, build_prompt
from dispatcher.domain.redact import without_turn_tokens
from dispatcher.domain.reply import Reply
from dispatcher.domain.retry import LOOKS_FOR_A_ROW, Cause, cause_of
from dispatcher.domain.rights import rights_of
from dispatcher.domain.tools import Tool
from dispatcher.flows.desk import Attempt
from dispatcher.flows.mark import mark
from dispatcher.flows.tools import run_calls
from dispatcher.ports import Ask

_LOOK_AGAIN = timedelta(seconds=5)

_log = logging.getLogger(__name__)


def look(attempt: Attempt) -> Context | Outcome:
    """Fetch the context fresh, bind the newest message, and decide whether to deliver.

    Returns:
        The context when the agent is to be asked, else what becomes of the delivery.
    """
    entry = attempt.claim.entry
    context = attempt.desk.backend.fetch_context(entry.notification)
    if context is None:
        return _not_found(attempt)
    is_fresh = attempt.journal.stage is Stage.NEW and not entry.is_carried
    is_newer = context.notification.message != entry.message
    if context.notification.is_delivered and is_fresh and not is_newer:
        return Settled(outcome="delivered_elsewhere")
    if is_newer:
        bound = attempt.desk.mailboxes.rebind(attempt.claim, context.notification)
        if bound is None:
            return Settled(outcome="answered_with_newer")
        attempt.claim = bound
    context = _with_missed_message(attempt, context)
    decision = policy.decide(context)
    match decision.verdict:
        case policy.Verdict.DELIVER:
            return context
        case policy.Verdict.SKIP:
            return _skip(attempt, decision.reason)
        case policy.Verdict.RETRY:
            return _without_session_key(attempt, decision.reason)


def _with_missed_message(attempt: Attempt, context: Context) -> Context:
    """Answer a person's message that an agent's message has pushed out of the row."""
    missed = policy.missed_message(context, seen_ms=attempt.claim.seen_ms)
    if missed is None:
        return context
    _log.info(
        "an agent's message took the place of a person's, which is answered now",
        extra=attempt.fields("rebind"),
    )
    return replace(context, message=missed, source_kind=None)


def ask(attempt: Attempt, context: Context) -> Reply:
    """Ask the agent, run the tools that it calls, and ask on, until it has said its last word.

    Each answer is stored before anything else is done, so that it is never paid for again.

    Raises:
        GatewayError: No reply came.
        BackendError: A tool could not be run; the next attempt goes on with it.
        LeaseLost: The claim is gone; an answer that was not stored is thrown away.
    """
    stored = attempt.journal.reply
    reply = stored if stored is not None and stored.tool_calls else _first_ask(attempt, context)
    while attempt.journal.has_open_calls:
        run_calls(attempt, context)
        reply = _ask_on(attempt, context)
    return reply


def go_on(attempt: Attempt) -> Context | Outcome:
    """Fetch what is needed to go on with a turn whose tool calls are open."""
    context = attempt.desk.backend.fetch_context(attempt.claim.entry.notification)
    if context is None or context.agent is None:
        return Settled(outcome="gone")
    # The attempt before has let typing stop.
    _begin(attempt)
    return context


def _first_ask(attempt: Attempt, context: Context) -> Reply:
    journal = attempt.journal
    session_key = journal.session_key or context.session_key
    if session_key is None:
        raise BackendGarbled("the context has no session key")
    _begin(attempt)
    message = context.message
    asking = journal.evolve(
        stage=Stage.ASKED,
        session_key=session_key,
        rights=rights_of(context),
        asks=journal.asks + 1,
        shown_ms=_newest_shown(context),
        is_required=policy.requires_reply(context),
        is_answer_to_agent=message is not None and message.author_type == "agent",
        starts_work=_starts_work(context),
    )
    request = _request(attempt, context, asking, text=build_prompt(context, attempt.desk.render))
    return _exchange(attempt, asking, replace(request, tools=_tools(attempt, asking)))


def _ask_on(attempt: Attempt, context: Context) -> Reply:
    """Bring the results of a round to the agent; after the last round no tools are offered."""
    journal = attempt.journal
    rights = journal.rights or rights_of(context)
    asking = journal.evolve(stage=Stage.ASKED, asks=journal.asks + 1, rights=rights)
    is_last = journal.rounds >= attempt.desk.tool_rounds
    request = replace(
        _request(attempt, context, asking, text=""),
        results=journal.results,
        tools=() if is_last else _tools(attempt, asking),
    )
    return _exchange(attempt, asking, request)


def _tools(attempt: Attempt, asking: Journal) -> tuple[Tool, ...]:
    if asking.rights is None or not attempt.desk.has_client_tools:
        return ()
    return offered(asking.rights)


def _request(attempt: Attempt, context: Context, asking: Journal, *, text: str) -> Ask:
    # Asks that were answered, with something usable or not, are no cut off attempts.
    answered = max(asking.answers, attempt.claim.unanswered)
    session_key = asking.session_key or SessionKey("")
    return Ask(
        agent=context.agent.slug if context.agent else "",
        session_key=session_key,
        instructions=build_instructions(
            context,
            attempt.desk.render,
            reach=attempt.desk.reach(rights_of(context), session_key),
            may_stay_silent=not asking.is_required,
            is_repeated=asking.asks - 1 > answered,
        ),
        text=text,
    )


def _exchange(attempt: Attempt, asking: Journal, request: Ask) -> Reply:
    """Send one ask with the journal around it."""
    before = attempt.journal
    attempt.write(asking)
    attempt.hold.check()
    try:
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
    attempt.keep(answered)
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
    _log.info(
        "%s answered in %.1f s",
        request.agent,
        took.total_seconds(),
        extra=attempt.fields("ask"),
    )
    return reply


def _begin(attempt: Attempt) -> None:
    """Show people that the agent is typing; an error here is no reason to stop."""
    attempt.hold.check()
    try:
        attempt.desk.backend.mark_begun(attempt.claim.entry.notification)
    except (CredentialsRejected, CredentialsSuspected, DeploymentOff):
        # The reply could not be written back either: do not buy one.
        raise
    except BackendError as error:
        _log.warning("typing is not shown: %s", error, extra=attempt.fields("mark_begun"))
    attempt.has_begun = True


def _newest_shown(context: Context) -> int:
    shown = (*context.thread, context.message) if context.message else context.thread
    return max((message.created_at_ms for message in shown), default=0)


def _starts_work(context: Context) -> bool:
    return (
        context.notification.kind is Kind.ASSIGNMENT
        and context.task is not None
        and context.task.status == "assigned"
        and context.flags.can_modify_task_status
    )


def _skip(attempt: Attempt, reason: policy.Reason) -> Outcome:
    outcome = f"skipped_{reason.value}"
    attempt.journal = attempt.journal.evolve(outcome=outcome)
    mark(attempt)
    return Settled(outcome=outcome)


def _not_found(attempt: Attempt) -> Outcome:
    """Forget a row that is listed but cannot be found, after a few looks."""
    if attempt.claim.looks + 1 >= LOOKS_FOR_A_ROW:
        return Settled(outcome="context_missing")
    return Resting(delay=_LOOK_AGAIN, cause=Cause.CONTEXT_MISSING, spends=Spent.LOOK)


def _without_session_key(attempt: Attempt, reason: policy.Reason) -> Outcome:
    """Look again: the key is the backend's fault. Give up loudly after a few looks."""
    if attempt.claim.looks + 1 < LOOKS_FOR_A_ROW:
        return Resting(delay=_LOOK_AGAIN, cause=Cause.MISSING_SESSION_KEY, spends=Spent.LOOK)
    _log.error(
        "the backend gives no session key for a notification; it is marked without an answer",
        extra=attempt.fields("settle"),
    )
    return _skip(attempt, reason)
