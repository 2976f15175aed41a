"""From a claimed delivery to the agent's reply: look, decide, ask.

Each step either goes on or ends the attempt with an outcome.
"""

import logging
from datetime import timedelta

from dispatcher.domain import policy
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
    StoreError,
)
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Context, Kind
from dispatcher.domain.prompt import build_instructions, build_prompt
from dispatcher.domain.reply import Reply
from dispatcher.domain.retry import LOOKS_FOR_A_ROW, Cause, cause_of
from dispatcher.flows.desk import Attempt
from dispatcher.flows.mark import mark
from dispatcher.ports import Ask

_LOOK_AGAIN = timedelta(seconds=5)
_STORE_AGAIN = timedelta(milliseconds=250)

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
    if context.notification.is_delivered and is_fresh:
        return Settled(outcome="delivered_elsewhere")
    if context.notification.message != entry.message:
        attempt.claim = attempt.desk.mailboxes.rebind(attempt.claim, context.notification)
    decision = policy.decide(context)
    match decision.verdict:
        case policy.Verdict.DELIVER:
            return context
        case policy.Verdict.SKIP:
            return _skip(attempt, decision.reason)
        case policy.Verdict.RETRY:
            return _without_session_key(attempt, decision.reason)


def ask(attempt: Attempt, context: Context) -> Reply:
    """Ask the agent and store its reply, so that it is never paid for again.

    Raises:
        GatewayError: No reply came.
        LeaseLost: The claim is gone; the reply, if any, is thrown away.
    """
    journal = attempt.journal
    session_key = journal.session_key or context.session_key
    if session_key is None:
        raise BackendGarbled("the context has no session key")
    _begin(attempt)
    is_required = policy.requires_reply(context)
    message = context.message
    asking = journal.evolve(
        stage=Stage.ASKED,
        session_key=session_key,
        asks=journal.asks + 1,
        is_required=is_required,
        is_answer_to_agent=message is not None and message.author_type == "agent",
        starts_work=_starts_work(context),
    )
    request = Ask(
        agent=context.agent.slug if context.agent else "",
        session_key=session_key,
        instructions=build_instructions(
            context,
            attempt.desk.templates,
            may_stay_silent=not is_required,
            # Asks that were answered with nothing usable are no cut off attempts.
            is_repeated=journal.asks > attempt.claim.unanswered,
        ),
        text=build_prompt(context, attempt.desk.templates),
    )
    attempt.write(asking)
    attempt.hold.check()
    try:
        reply = _timed_ask(attempt, request)
    except (GatewayUnavailable, GatewayMisconfigured, AgentUnavailable, AskRefused):
        # Not taken: the next ask is no repetition.
        attempt.write(asking.evolve(asks=journal.asks))
        raise
    _store(
        attempt,
        asking.evolve(stage=Stage.ANSWERED, reply=reply, attempts_spent=attempt.claim.attempts),
    )
    return reply


def _store(attempt: Attempt, journal: Journal) -> None:
    """Store a reply that was paid for, however often it takes while the claim is ours."""
    while True:
        try:
            attempt.write(journal)
        except StoreError as error:
            attempt.hold.check()
            _log.info("the reply waits to be stored: %s", error, extra=attempt.fields("journal"))
            attempt.desk.clock.sleep(_STORE_AGAIN)
        else:
            return


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
