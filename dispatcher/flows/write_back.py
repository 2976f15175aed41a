"""From a stored reply to the thread: judge, post, move the task on, mark."""

import logging
from datetime import UTC, datetime, timedelta

from dispatcher.domain.delivery import Outcome, Resting, Settled, Spent
from dispatcher.domain.errors import (
    BackendMisused,
    BackendRedacted,
    BackendRefused,
    RowGone,
)
from dispatcher.domain.ids import NOTHING, MessageId, NotificationId, TaskId, derived_key
from dispatcher.domain.journal import Blind, Stage
from dispatcher.domain.notification import Context
from dispatcher.domain.reply import NOTHING_USABLE, Reply, Said, judge
from dispatcher.domain.retry import ASKS_FOR_A_REPLY, Cause, backoff
from dispatcher.domain.text import utf16_units
from dispatcher.flows.desk import Attempt
from dispatcher.flows.mark import mark

_ARRIVES_WITHIN = timedelta(seconds=60)
_COMPARED = 900
_SHOWN_UNITS = 2_000
"""The backend shows a longer message of a thread only up to here."""

CUT_OFF_NOTE = "_(The reply ends here: the model reached its output limit.)_"

_log = logging.getLogger(__name__)


def write_back(attempt: Attempt, reply: Reply) -> Outcome:
    """Bring a stored reply to its end: into the thread, or to silence.

    Raises:
        BackendError: A step did not succeed; the next attempt goes on from the journal.
        LeaseLost: The claim is gone.
    """
    said = judge(reply.text, is_answer_to_agent=attempt.journal.is_answer_to_agent)
    if said is Said.TEXT:
        return _answer(attempt, reply)
    attempt.keep_answer()
    # Tools that ran are an answer as well; asking anew would run them again.
    is_missed = attempt.journal.is_required and attempt.journal.rounds == 0
    if said in NOTHING_USABLE and is_missed:
        if attempt.claim.unanswered + 1 < ASKS_FOR_A_REPLY:
            return _ask_again(attempt)
        _log.warning(
            "no usable reply after %d asks; the notification is marked without an answer",
            ASKS_FOR_A_REPLY,
            extra=attempt.fields("settle"),
        )
        return finish(attempt, "no_reply")
    return finish(attempt, said.value)


def finish(attempt: Attempt, outcome: str) -> Outcome:
    """Mark the row and settle the delivery with an outcome."""
    attempt.journal = attempt.journal.evolve(outcome=outcome)
    context = mark(attempt)
    if context is not None and not _is_in_thread(attempt, context):
        _post_again(attempt)
    return Settled(outcome=outcome)


def _is_in_thread(attempt: Attempt, context: Context) -> bool:
    """Say whether the message that the backend named is really our reply.

    A Redis that lost its data forgets that the row's key was used: then the backend answers with
    the message of that earlier post, and ours is nowhere.
    """
    journal = attempt.journal
    if journal.message is None or journal.reply is None or context.task is None:
        return True
    if journal.post_key != attempt.claim.entry.notification:
        return True
    shown = next((item for item in context.thread if item.message_id == journal.message), None)
    if shown is None:
        # Posted a moment ago it would be among the newest; posted by an earlier attempt it may have
        # scrolled out, and a second message would be worse than none.
        return not attempt.has_posted
    text = _text_of(journal.reply)
    if utf16_units(text) <= _SHOWN_UNITS:
        return text == shown.content
    return text.startswith(shown.content[:_COMPARED])


def _post_again(attempt: Attempt) -> None:
    entry, reply, key = attempt.claim.entry, attempt.journal.reply, _follow_up_key(attempt)
    if entry.task is None or reply is None or key is None:
        return
    attempt.hold.check()
    attempt.desk.backend.post_message(
        agent=entry.agent, task=entry.task, content=_text_of(reply), key=key
    )
    _log.warning(
        "the row's key had been used before, which Redis had forgotten; the reply is posted anew",
        extra=attempt.fields("write_back"),
    )


def _ask_again(attempt: Attempt) -> Outcome:
    attempt.write(attempt.journal.evolve(stage=Stage.ASKED, reply=None, attempts_spent=0))
    _log.info(
        "no usable reply, ask %d of %d: asked again",
        attempt.claim.unanswered + 1,
        ASKS_FOR_A_REPLY,
        extra=attempt.fields("judge"),
    )
    delay = backoff(attempt.claim.unanswered + 1, attempt.desk.bounds)
    return Resting(delay=delay, cause=Cause.NO_REPLY, spends=Spent.UNANSWERED)


def _answer(attempt: Attempt, reply: Reply) -> Outcome:
    entry = attempt.claim.entry
    if entry.task is None:
        attempt.keep_answer()
        _log.info(
            "a reply to a notification without a task has no thread to go to",
            extra=attempt.fields("write_back"),
        )
        return finish(attempt, "answered_without_task")
    if attempt.journal.blind is Blind.SENT:
        return _look_later(attempt)
    try:
        _post(attempt, entry.task, reply)
    except RowGone:
        return Settled(outcome="gone")
    except BackendRedacted:
        # In production a row that is gone is refused like anything else.
        if attempt.desk.backend.fetch_context(entry.notification) is None:
            return Settled(outcome="gone")
        raise
    if attempt.journal.starts_work:
        _start_work(attempt, entry.task)
    return finish(attempt, "answered")


def _post(attempt: Attempt, task: TaskId, reply: Reply) -> None:
    claim, desk = attempt.claim, attempt.desk
    is_first = claim.row_key_user in {None, claim.delivery}
    key = claim.entry.notification if is_first else _follow_up_key(attempt)
    message = _look_for(attempt, reply) if attempt.journal.blind is Blind.WAITED else None
    blind = Blind.SENT if key is None else None
    posting = attempt.journal.evolve(stage=Stage.POSTING, post_key=key, blind=blind)
    # The answer goes into the same write: nothing happens between the two.
    store = attempt.keep if attempt.has_unwritten_answer else attempt.write
    store(posting, uses_row_key=is_first)
    attempt.hold.check()
    with attempt.timed("post"):
        message = message or desk.backend.post_message(
            agent=claim.entry.agent, task=task, content=_text_of(reply), key=key
        )
    attempt.journal = attempt.journal.evolve(message=message)
    # A key that was used before may have brought back a post that has scrolled out long ago.
    attempt.has_posted = claim.row_key_user is None
    created = datetime.fromtimestamp(claim.entry.created_at_ms / 1000, UTC)
    wait = max(desk.clock.now() - created, timedelta(0))
    desk.tally.replied(wait=wait)
    _log.debug(
        "the reply is in the thread, %.1f s after the notification",
        wait.total_seconds(),
        extra=attempt.fields("write_back"),
    )


def _look_later(attempt: Attempt) -> Outcome:
    """A post without a key may still be under way: look for it when it must have arrived."""
    attempt.write(attempt.journal.evolve(blind=Blind.WAITED))
    return Resting(delay=_ARRIVES_WITHIN, cause=Cause.BACKEND_UNAVAILABLE, spends=Spent.NOTHING)


def _look_for(attempt: Attempt, reply: Reply) -> MessageId | None:
    """Find a post whose outcome was unknown in the thread, by its author and its words."""
    context = attempt.desk.backend.fetch_context(attempt.claim.entry.notification)
    shown = [
        item
        for item in (context.thread if context else ())
        if item.content
        and item.author_id == attempt.claim.entry.agent
        and _text_of(reply).startswith(item.content[:_COMPARED])
    ]
    return shown[-1].message_id if shown else None


def _follow_up_key(attempt: Attempt) -> NotificationId | None:
    entry = attempt.claim.entry
    return derived_key(entry.notification, entry.message or NOTHING, "reply")


def _text_of(reply: Reply) -> str:
    text = reply.text.strip()
    return f"{text}\n\n{CUT_OFF_NOTE}" if reply.is_incomplete else text


def _start_work(attempt: Attempt, task: TaskId) -> None:
    """Move an assigned task on; a refusal is no reason to fail the delivery."""
    attempt.hold.check()
    try:
        attempt.desk.backend.start_work(agent=attempt.claim.entry.agent, task=task)
    except (BackendRefused, BackendRedacted, BackendMisused) as error:
        _log.warning("the task was not moved on: %s", error, extra=attempt.fields("start_work"))
