"""From a claimed delivery to the agent's reply: look, decide, ask.

Each step either goes on or ends the attempt with an outcome.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from dispatcher.domain import policy
from dispatcher.domain.delivery import Outcome, Resting, Settled, Spent
from dispatcher.domain.errors import (
    BackendError,
    BackendGarbled,
    CredentialsRejected,
    CredentialsSuspected,
    DeploymentOff,
)
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Context, Kind
from dispatcher.domain.prompt import build_instructions, build_prompt
from dispatcher.domain.reply import Reply
from dispatcher.domain.retry import LOOKS_FOR_A_ROW, Cause
from dispatcher.domain.rights import rights_of
from dispatcher.flows.desk import Attempt
from dispatcher.flows.mark import mark
from dispatcher.flows.rounds import Turn, converse

_LOOK_AGAIN = timedelta(seconds=5)

_log = logging.getLogger(__name__)


def look(attempt: Attempt) -> Context | Outcome:
    """Fetch the context fresh, bind the newest message, and decide whether to deliver.

    Returns:
        The context when the agent is to be asked, else what becomes of the delivery.
    """
    entry = attempt.claim.entry
    with attempt.timed("look"):
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
    """Ask the agent until it has said its last word; see ``converse``."""
    return converse(
        attempt,
        Turn(
            slug=context.agent.slug if context.agent else "",
            rights=rights_of(context),
            crew=context.crew,
            instructions=lambda asking: _instructions(attempt, context, asking),
            first=lambda journal: _first(attempt, context, journal),
            text=lambda: build_prompt(context, attempt.desk.render),
        ),
    )


def go_on(attempt: Attempt) -> Context | Outcome:
    """Fetch what is needed to go on with a turn whose tool calls are open."""
    context = attempt.desk.backend.fetch_context(attempt.claim.entry.notification)
    if context is None or context.agent is None:
        return Settled(outcome="gone")
    # The attempt before has let typing stop.
    _begin(attempt)
    return context


def _first(attempt: Attempt, context: Context, journal: Journal) -> Journal:
    session_key = journal.session_key or context.session_key
    if session_key is None:
        raise BackendGarbled("the context has no session key")
    _begin(attempt)
    message = context.message
    return journal.evolve(
        session_key=session_key,
        shown_ms=_newest_shown(context),
        is_required=policy.requires_reply(context),
        is_answer_to_agent=message is not None and message.author_type == "agent",
        starts_work=_starts_work(context),
    )


def _instructions(attempt: Attempt, context: Context, asking: Journal) -> str:
    # Asks that were answered, with something usable or not, are no cut off attempts.
    answered = max(asking.answers, attempt.claim.unanswered)
    session_key = asking.session_key or SessionKey("")
    return build_instructions(
        context,
        attempt.desk.render,
        reach=attempt.desk.reach(rights_of(context), session_key),
        may_stay_silent=not asking.is_required,
        is_repeated=asking.asks - 1 > answered,
    )


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
