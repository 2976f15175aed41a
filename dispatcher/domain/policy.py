"""Decides whether a notification is delivered, skipped or stale, and says why.

One pure function over the context that was fetched for the attempt. Rows P01 to P41 and T1 to
T7 of the delivery policy are test cases in ``tests/unit/test_policy.py``; where we decided an
open row, ``ops/decisions/0003-delivery-policy.md`` says how and why.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dispatcher.domain.mentions import mentioned_agents
from dispatcher.domain.notification import Context, Kind, Message

CLOSED = frozenset({"done", "blocked"})
SILENT = CLOSED | {"archived"}
"""Statuses in which nobody wants to hear of updates; mentions and assignments still arrive."""


_SAME_MOMENT_MS: Final = 100


class Verdict(StrEnum):
    """What to do with a notification."""

    DELIVER = "deliver"
    SKIP = "skip"
    RETRY = "retry"


class Reason(StrEnum):
    """Why; a metric label and a word in the log."""

    DELIVERABLE = "deliverable"
    MISSING_AGENT = "missing_agent"
    MISSING_TASK = "missing_task"
    MISSING_SESSION_KEY = "missing_session_key"
    CHAT_OF_ORCHESTRATOR = "chat_of_orchestrator"
    TASK_CLOSED = "task_closed"
    NOT_FOR_REVIEW = "not_for_review"
    OWN_MESSAGE = "own_message"
    LOOP_GUARD = "loop_guard"
    NOT_INVOLVED = "not_involved"
    STALE_THREAD_UPDATE = "stale_thread_update"


_BY_AUTHOR: Final = frozenset({Reason.OWN_MESSAGE, Reason.LOOP_GUARD, Reason.NOT_INVOLVED})


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason."""

    verdict: Verdict
    reason: Reason


DELIVER = Decision(Verdict.DELIVER, Reason.DELIVERABLE)


def decide(context: Context) -> Decision:
    """Decide on one notification by the facts of its context.

    Returns:
        ``RETRY`` only when the session key is missing: that is a fault of the backend, not a
        reason to lose the notification.
    """
    if context.agent is None:
        return _skip(Reason.MISSING_AGENT)
    if context.notification.task is not None and context.task is None:
        return _skip(Reason.MISSING_TASK)
    reason = _objection(context)
    if reason is not None:
        return _skip(reason)
    if _is_stale(context):
        return _skip(Reason.STALE_THREAD_UPDATE)
    if context.session_key is None:
        return Decision(Verdict.RETRY, Reason.MISSING_SESSION_KEY)
    return DELIVER


def missed_message(context: Context, *, seen_ms: int) -> Message | None:
    """Find a person's message that the row stood for, until an agent's message took its place.

    The backend keeps one undelivered thread update for each agent and task. A person writes to a
    thread with two agents, one of them answers, and the other one's row names that answer, which
    the policy skips: the person's message would never have a turn.

    Args:
        context: Of a thread update that would be skipped because of its author.
        seen_ms: Messages up to here were shown by a turn that was answered.

    Returns:
        The newest such message; None when there is none, or the row is not to be skipped.
    """
    objection = _objection(context)
    if context.notification.kind is not Kind.THREAD_UPDATE or objection not in _BY_AUTHOR:
        return None
    # A row is made right after its first message.
    since_ms = max(seen_ms + 1, context.notification.creation_time_ms - _SAME_MOMENT_MS)
    missed = [
        item
        for item in context.thread
        if item.author_type == "user"
        and item.created_at_ms >= since_ms
        # Whoever is mentioned has a row for it, and nobody else was told.
        and not mentioned_agents(item.content, context.crew)
    ]
    return missed[-1] if missed else None


def requires_reply(context: Context) -> bool:
    """Say whether somebody waits for an answer, so that silence is asked again."""
    match context.notification.kind:
        case Kind.MENTION | Kind.ASSIGNMENT | Kind.RESPONSE_REQUEST:
            return True
        case Kind.THREAD_UPDATE:
            return context.message is None or context.message.author_type != "agent"
        case Kind.STATUS_CHANGE | Kind.OTHER | Kind.HEARTBEAT:
            return False


def may_mark_done(context: Context) -> bool:
    """Say whether this turn may close the task: only from review, only with the right."""
    in_review = context.task is not None and context.task.status == "review"
    return in_review and context.flags.can_mark_done


def is_orchestrator(context: Context) -> bool:
    """Say whether the recipient leads the crew."""
    return context.orchestrator is not None and (
        context.notification.recipient == context.orchestrator
    )


def is_one_of_several_assignees(context: Context) -> bool:
    """Say whether the recipient shares the task with other agents."""
    if context.task is None or context.agent is None:
        return False
    assigned = context.task.assigned_agents
    return len(assigned) > 1 and context.agent.agent_id in assigned


def _skip(reason: Reason) -> Decision:
    return Decision(Verdict.SKIP, reason)


def _objection(context: Context) -> Reason | None:
    notification, task = context.notification, context.task
    if task is not None and task.is_orchestrator_chat and notification.recipient_is_agent:
        # The chat belongs to the orchestrator alone, whatever the type and the status.
        return None if is_orchestrator(context) else Reason.CHAT_OF_ORCHESTRATOR
    if _is_own_message(context):
        # An agent that mentions itself would answer itself for ever.
        return Reason.OWN_MESSAGE
    match notification.kind:
        case Kind.THREAD_UPDATE:
            return _objection_to_thread_update(context)
        case Kind.STATUS_CHANGE if notification.recipient_is_agent:
            return _objection_to_status_change(context)
        case _:
            return None


def _objection_to_thread_update(context: Context) -> Reason | None:
    if context.task is not None and context.task.status in SILENT:
        return Reason.TASK_CLOSED
    message = context.message
    if message is None or message.author_type != "agent":
        return None
    by_orchestrator = message.author_id == context.orchestrator
    if is_orchestrator(context) or _is_involved(context):
        if context.source_kind is not Kind.THREAD_UPDATE:
            return None
        # An answer to an answer: only one side may be the orchestrator, or they never stop.
        return None if by_orchestrator or is_orchestrator(context) else Reason.LOOP_GUARD
    return Reason.NOT_INVOLVED


def _objection_to_status_change(context: Context) -> Reason | None:
    if context.task is None:
        return None
    if context.task.status in SILENT:
        return Reason.TASK_CLOSED
    if context.task.status == "review":
        reviews = is_orchestrator(context) or context.flags.can_review_tasks
        return None if reviews else Reason.NOT_FOR_REVIEW
    return None


def _is_own_message(context: Context) -> bool:
    message = context.message
    return (
        message is not None
        and message.author_type == "agent"
        and message.author_id == context.notification.recipient
    )


def _is_involved(context: Context) -> bool:
    task = context.task
    if task is None:
        return False
    reviews = task.status == "review" and context.flags.can_review_tasks
    return reviews or context.notification.recipient in task.assigned_agents


def _is_stale(context: Context) -> bool:
    """Say whether a newer message of a person is in the thread: that one has its own turn."""
    notification, message = context.notification, context.message
    if (
        notification.kind is not Kind.THREAD_UPDATE
        or not notification.recipient_is_agent
        or notification.message is None
        or message is None
        or message.author_type != "user"
    ):
        return False
    ids = [item.message_id for item in context.thread]
    if notification.message not in ids:
        return False
    later = context.thread[ids.index(notification.message) + 1 :]
    return any(item.author_type == "user" and _reaches(item, context) for item in later)


def _reaches(message: Message, context: Context) -> bool:
    """Say whether a person's message has a turn of this agent: not when it mentions only others."""
    mentioned = mentioned_agents(message.content, context.crew)
    return not mentioned or context.notification.recipient in mentioned
