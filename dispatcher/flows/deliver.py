"""Claim, ask, judge, write back, settle: the journey of one delivery.

Every step is safe to run twice and is journalled around, so that whoever claims the delivery next
goes on where this attempt stopped, wherever that was.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from dispatcher.domain import retry
from dispatcher.domain.delivery import (
    Claim,
    Dead,
    NotClaimed,
    Outcome,
    Resting,
    Settled,
    Spent,
)
from dispatcher.domain.errors import (
    DispatcherError,
    JournalUnreadable,
    LeaseLost,
    StoreError,
)
from dispatcher.domain.ids import ConversationId
from dispatcher.domain.journal import Journal, Stage, load
from dispatcher.domain.notification import Kind
from dispatcher.flows.canonical import tell
from dispatcher.flows.desk import Attempt, Desk
from dispatcher.flows.end import counted, die, end, stop_typing
from dispatcher.flows.heartbeat import beat
from dispatcher.flows.turn import ask, go_on, look
from dispatcher.flows.write_back import finish, write_back
from dispatcher.ports import Done, Isolation

_log = logging.getLogger(__name__)


def deliver(
    hint: ConversationId, *, desk: Desk, goes_on: Callable[[], bool] = lambda: False
) -> NotClaimed | None:
    """Claim one delivery and bring it as far as it goes.

    Args:
        hint: The conversation that was rung; another one may be claimed instead.
        desk: The ports.
        goes_on: Asked after each delivery whether to go on with the one that is due next, which
            spares a ring and is lost no more easily than one.

    Returns:
        Why nothing was claimed, or None when an attempt was made.

    Raises:
        StoreError: Redis was lost before anything was claimed.
    """
    since = desk.clock.monotonic()
    found = desk.mailboxes.claim(hint)
    if isinstance(found, NotClaimed):
        return found
    claim: Claim | None = found
    while claim is not None:
        claim, since = work_on(claim, since=since, desk=desk, goes_on=goes_on)
    return None


def work_on(
    claim: Claim, *, since: float, desk: Desk, goes_on: Callable[[], bool] = lambda: False
) -> tuple[Claim | None, float]:
    """Bring a claimed delivery as far as it goes.

    Args:
        claim: Of the delivery.
        since: When it was asked for, by the clock's monotonic seconds.
        desk: The ports.
        goes_on: See ``deliver``.

    Returns:
        The claim to go on with, or None, and when that was asked for.
    """
    attempt = Attempt(desk=desk, claim=claim, journal=Journal())
    desk.tally.stepped(step="line", took=claim.claimed_at - claim.put_at)
    try:
        with desk.holds.hold(claim, since=since) as attempt.hold, attempt.timed("attempt"):
            outcome = _isolated(attempt) if _is_suspect(attempt) else _run(attempt)
        if outcome is None:
            return None, since
        # Not renewed any more: settling ends the claim, and a renewal after it looks like a loss.
        since = desk.clock.monotonic()
        done = desk.mailboxes.settle(attempt.claim, outcome, goes_on=goes_on())
    except LeaseLost as error:
        _log.warning(
            "the attempt stops: %s; another worker goes on with it",
            error,
            extra=attempt.fields("lease_lost"),
        )
        desk.tally.attempted(kind=claim.entry.kind, result="lost", cause="lease_lost")
    except StoreError as error:
        # What is outside stays as the journal says; the lease runs out and the sweeper hands on.
        _log.warning(
            "the attempt stops: %s; it goes on once Redis is back",
            error,
            extra=attempt.fields("settle"),
        )
        desk.tally.attempted(kind=claim.entry.kind, result="lost", cause="store_unavailable")
    else:
        _conclude(attempt, outcome, done)
        return done.next_claim, since
    return None, since


def _conclude(attempt: Attempt, outcome: Outcome, done: Done) -> None:
    """Tell how the attempt ended, and ring who is next."""
    tell(attempt, outcome)
    if done.dropped:
        attempt.desk.tally.dropped_dead(done.dropped)
        _log.error(
            "%d dead letters were dropped: DEAD_LETTER_LIMIT is reached",
            done.dropped,
            extra=attempt.fields("settle"),
        )
    attempt.desk.bell.ring(done.to_ring)


def _is_suspect(attempt: Attempt) -> bool:
    is_known = attempt.claim.strikes >= retry.QUARANTINE_FROM
    return is_known and attempt.desk.quarantine is not None


def _isolated(attempt: Attempt) -> Outcome | None:
    """Run a delivery whose workers died again and again in a process of its own.

    Returns:
        None when that process settled it, else what becomes of a delivery that killed it.
    """
    quarantine, found = attempt.desk.quarantine, Isolation.DIED
    if quarantine is not None and attempt.claim.strikes < retry.STRIKES_AT_MOST:
        found = quarantine.run(attempt.claim, hold=attempt.hold)
    if found is Isolation.ENDED:
        return None
    if found is Isolation.UNDONE:
        return Resting(delay=retry.PLACE_AGAIN, cause=retry.Cause.QUARANTINE, spends=Spent.NOTHING)
    attempt.hold.check()
    if attempt.claim.entry.kind is Kind.HEARTBEAT:
        return Settled(outcome="missed")
    try:
        attempt.journal = load(attempt.desk.mailboxes.read_journal(attempt.claim))
    except JournalUnreadable as error:
        if error.is_newer:
            return retry.decide(error, attempt.claim, attempt.desk.bounds)
        attempt.journal = Journal()
    attempt.has_begun = True
    if found is Isolation.FAILED:
        _log.error(
            "the process that ran the delivery alone failed by a defect; its last words are above",
            extra=attempt.fields("quarantine"),
        )
        spent = retry.attempt_spent(retry.Cause.DEFECT, counted(attempt), attempt.desk.bounds)
        return end(attempt, spent)
    _log.error(
        "the delivery kills every process that runs it",
        extra=attempt.fields("quarantine"),
    )
    return end(attempt, Dead(cause=retry.Cause.POISON))


def _run(attempt: Attempt) -> Outcome:
    """Run the attempt; every error but a lost lease or store becomes an outcome."""
    if attempt.claim.entry.kind is Kind.HEARTBEAT:
        return _beat(attempt)
    try:
        return _resume(attempt)
    except (LeaseLost, StoreError):
        raise
    except DispatcherError as error:
        # Closed exchanges and refused calls look alike when the claim was lost: that comes first.
        attempt.hold.check()
        _log.warning("the attempt failed: %s", error, extra=attempt.fields("attempt"))
        outcome = retry.decide(error, counted(attempt), attempt.desk.bounds)
    except Exception:  # noqa: BLE001 - a defect of ours must not lose the delivery
        attempt.hold.check()
        _log.exception("the attempt failed by a defect", extra=attempt.fields("attempt"))
        outcome = retry.attempt_spent(retry.Cause.DEFECT, counted(attempt), attempt.desk.bounds)
    return end(attempt, outcome)


def _beat(attempt: Attempt) -> Outcome:
    began = attempt.desk.clock.monotonic()
    outcome = beat(attempt)
    took = timedelta(seconds=attempt.desk.clock.monotonic() - began)
    is_missed = isinstance(outcome, Settled) and outcome.outcome == "missed"
    attempt.desk.tally.operated(
        operation="heartbeat.execute", took=took, error="missed" if is_missed else None
    )
    return outcome


def _resume(attempt: Attempt) -> Outcome:
    """Go on at the step that the journal names."""
    attempt.journal = load(attempt.claim.journal_text)
    journal = attempt.journal
    attempt.has_begun = journal.stage is not Stage.NEW
    if attempt.has_begun:
        attempt.desk.tally.resumed(stage=journal.stage.value)
    match journal.stage:
        case Stage.DYING:
            return die(attempt, journal.cause or "unknown")
        case Stage.MARKING:
            return finish(attempt, journal.outcome or "answered")
        case _ if journal.reply is not None and journal.needs_no_agent:
            outcome = write_back(attempt, journal.reply)
        case _:
            found = go_on(attempt) if journal.has_open_calls else look(attempt)
            if isinstance(found, Settled | Resting | Dead):
                return found
            outcome = write_back(attempt, ask(attempt, found))
    if isinstance(outcome, Resting):
        stop_typing(attempt)
    return outcome
