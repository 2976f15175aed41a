"""How an attempt ends that cannot go on: later, with last words, or as a dead letter.

A death is journalled and marked before it is settled, so that whoever takes over goes on dying
instead of asking again.
"""

import logging
from datetime import timedelta

from dispatcher.domain import retry
from dispatcher.domain.delivery import Claim, Dead, Outcome, Resting, Sign, Spent
from dispatcher.domain.errors import DispatcherError, LeaseLost, StoreError
from dispatcher.domain.journal import Stage
from dispatcher.domain.reply import Reply, Said, judge
from dispatcher.flows.desk import Attempt
from dispatcher.flows.mark import mark
from dispatcher.flows.notice import tell_thread

_log = logging.getLogger(__name__)


def end(attempt: Attempt, outcome: Outcome) -> Outcome:
    """Say that the attempt ended; a death is journalled and marked before it is settled."""
    attempt.keep_answer()
    stop_typing(attempt)
    if not isinstance(outcome, Dead):
        return outcome
    if retry.is_fused(outcome.cause) and not _may_die(attempt, outcome):
        return Resting(
            delay=timedelta(0), cause=outcome.cause, spends=Spent.NOTHING, sign=outcome.sign
        )
    if _has_last_words(attempt):
        return _last_words(attempt, outcome.sign)
    try:
        return die(attempt, outcome.cause, outcome.sign)
    except (LeaseLost, StoreError):
        raise
    except DispatcherError as error:
        later = retry.decide(error, counted(attempt), attempt.desk.bounds)
        if isinstance(later, Resting):
            return later
        # The backend refuses even the mark: nothing more can be done for this row.
        return outcome
    except Exception:  # noqa: BLE001 - a defect of ours must not keep the claim for ever
        _log.exception("dying failed by a defect", extra=attempt.fields("settle"))
        return outcome


def die(attempt: Attempt, cause: str, sign: Sign = Sign.NONE) -> Outcome:
    """Finish a delivery that is not tried again; from here on it is never asked again."""
    attempt.write(attempt.journal.evolve(stage=Stage.DYING, cause=cause))
    if attempt.journal.message is None:
        tell_thread(attempt, cause)
    mark(attempt)
    return Dead(cause=cause, sign=sign)


def stop_typing(attempt: Attempt) -> None:
    """Nobody shall see an agent typing for ever; best effort."""
    if not attempt.has_begun:
        return
    try:
        attempt.desk.backend.mark_ended(attempt.claim.entry.notification)
    except Exception as error:  # noqa: BLE001 - best effort: it must not cost the outcome
        _log.info("typing may still show: %s", error, extra=attempt.fields("mark_ended"))


def counted(attempt: Attempt) -> Claim:
    """Give the claim with the attempts that count for what is being tried now."""
    claim = attempt.claim
    return claim.evolve(attempts=max(0, claim.attempts - attempt.journal.attempts_spent))


def _has_last_words(attempt: Attempt) -> bool:
    return attempt.journal.has_open_calls and judge(attempt.journal.said) is Said.TEXT


def _last_words(attempt: Attempt, sign: Sign) -> Outcome:
    """Post what the agent said beside its tool calls, when it never got to say more.

    Its tools have run; a dead letter would tell people that nothing came of it.
    """
    journal, reply = attempt.journal, Reply(text=attempt.journal.said)
    # Not as an answer: that would tell the store that the gateway is well.
    attempt.keep(
        journal.evolve(
            stage=Stage.TOOLS,
            reply=reply,
            said="",
            results=(),
            attempts_spent=attempt.claim.attempts,
        )
    )
    # A failure from here on costs no ask: the next attempt goes on with writing back.
    return Resting(
        delay=timedelta(0), cause=retry.Cause.LAST_WORDS, spends=Spent.NOTHING, sign=sign
    )


def _may_die(attempt: Attempt, outcome: Dead) -> bool:
    if attempt.desk.mailboxes.may_die(attempt.claim, outcome.cause):
        return True
    _log.error(
        "many deliveries fail at once (%s): the gateway is to blame, so nobody asks until it is "
        "well; this delivery is kept alive",
        outcome.cause,
        extra=attempt.fields("fuse"),
    )
    return False
