"""How an attempt ended: counted, and told in one log line with all that is known of it."""

import logging
from datetime import UTC, datetime
from typing import Any

from dispatcher.domain.delivery import Dead, Outcome, Resting, Settled
from dispatcher.flows.desk import Attempt

_log = logging.getLogger(__name__)


def tell(attempt: Attempt, outcome: Outcome) -> None:
    """Count what came of the attempt, and write its one line into the log."""
    kind, tally = attempt.claim.entry.kind.value, attempt.desk.tally
    match outcome:
        case Settled():
            tally.attempted(kind=kind, result="settled", cause=outcome.outcome)
            _log.info("settled: %s", outcome.outcome, extra=_fields(attempt, outcome))
        case Resting():
            tally.attempted(kind=kind, result="resting", cause=outcome.cause)
            _log.info(
                "tried again in %.1f s: %s",
                outcome.delay.total_seconds(),
                outcome.cause,
                extra=_fields(attempt, outcome),
            )
        case Dead():
            tally.attempted(kind=kind, result="dead", cause=outcome.cause)
            _log.error(
                "dead after %d attempts: %s; it is kept for a person to look at",
                attempt.claim.attempt_no,
                outcome.cause,
                extra=_fields(attempt, outcome),
            )


def _fields(attempt: Attempt, outcome: Outcome) -> dict[str, Any]:
    """Give the fields of the line that tells how an attempt ended.

    Shape:
        Ids of the delivery, its kind, ``result`` and ``cause``; ``age_s`` since the notification was
        made, ``line_s`` until it was claimed, and the seconds of each step; asks, rounds of tools,
        and the tokens of the last answer.
    """
    claim, journal = attempt.claim, attempt.journal
    entry, reply = claim.entry, journal.reply
    created = datetime.fromtimestamp(entry.created_at_ms / 1000, UTC)
    fields = attempt.fields("settle") | {
        "delivery": claim.delivery,
        "task": entry.task,
        "kind": entry.kind.value,
        "result": _word(outcome),
        "cause": outcome.outcome if isinstance(outcome, Settled) else outcome.cause,
        "age_s": round((attempt.desk.clock.now() - created).total_seconds(), 3),
        "line_s": round((claim.claimed_at - claim.put_at).total_seconds(), 3),
        "asks": journal.asks,
        "rounds": journal.rounds,
    }
    fields |= {f"{step}_s": round(took_s, 3) for step, took_s in attempt.steps.items()}
    if reply is not None:
        fields |= {"tokens_in": reply.usage.input_tokens, "tokens_out": reply.usage.output_tokens}
    return fields


def _word(outcome: Outcome) -> str:
    match outcome:
        case Settled():
            return "settled"
        case Resting():
            return "resting"
        case Dead():
            return "dead"
