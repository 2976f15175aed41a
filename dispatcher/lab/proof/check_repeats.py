"""Is an agent asked again after it answered, and why?"""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

from dispatcher.lab.proof.docket import ANSWERED, Docket, Turn
from dispatcher.lab.proof.evidence import Ask, Step, Strike
from dispatcher.lab.proof.plan import Trouble
from dispatcher.lab.proof.verdict import Breach

_NEW_ASK = frozenset({"tools", "rebound", "revived", "carried"})
_RESTARTS = frozenset({Trouble.REDIS_KILLED, Trouble.REDIS_STOPPED})
_CLOCKS_MS = 50
"""The store's clock and the gateway's are compared, which is not exact."""


class Why(StrEnum):
    """Why an agent was asked again; only the first breaks a promise."""

    PAID_TWICE = "paid_twice"
    KILLED = "asked_again_killed"
    FROZEN = "asked_again_frozen"
    FORGOTTEN = "repeated_because_forgotten"
    UNEXPLAINED = "asked_again_unexplained"


def find_paid_twice(docket: Docket) -> Iterator[Breach]:
    """Find asks that came after the answer had been stored."""
    for turn, ask, why in _repeats(docket):
        if why is Why.PAID_TWICE:
            yield Breach(
                promise="paid_twice",
                text=f"ask {ask.seq} about {turn.mark.token} came after its answer was stored",
                row=turn.row.row,
                at_ms=ask.received_ms,
            )


def count_repeats(docket: Docket) -> Counter[str]:
    """Count the repetitions that break no promise, by reason."""
    counted = Counter({why.value: 0 for why in Why if why is not Why.PAID_TWICE})
    counted.update(why.value for _, _, why in _repeats(docket) if why is not Why.PAID_TWICE)
    return counted


def _repeats(docket: Docket) -> Iterator[tuple[Turn, Ask, Why]]:
    for turn in docket.turns:
        story = docket.story(turn.delivery)
        for ask in turn.asks:
            if _was_stored(story, ask.received_ms):
                yield turn, ask, Why.PAID_TWICE
                continue
            before = [
                one
                for one in turn.asks
                if one.seq < ask.seq and one.number == ask.number and one.outcome == ANSWERED
            ]
            if before and not _has_new_reason(story, before[-1], ask):
                yield turn, ask, _explain(docket, turn, before[-1], ask)


def _was_stored(story: tuple[Step, ...], at_ms: float) -> bool:
    """Say whether an answer was stored at an instant, with nothing that asks anew since."""
    is_stored = False
    for step in story:
        if step.word == "answered" and step.at_ms < at_ms:
            is_stored = True
        elif _asks_anew(step) and step.at_ms < at_ms + _CLOCKS_MS:
            is_stored = False
    return is_stored


def _asks_anew(step: Step) -> bool:
    return step.word in _NEW_ASK or (step.word == "resting" and step.detail.startswith("no_reply"))


def _has_new_reason(story: tuple[Step, ...], first: Ask, second: Ask) -> bool:
    """Say whether the first answer was used, and a new ask is right."""
    between = [step for step in story if first.received_ms < step.at_ms < second.received_ms]
    return any(map(_asks_anew, between)) and any(step.word == "answered" for step in between)


def _explain(docket: Docket, turn: Turn, first: Ask, second: Ask) -> Why:
    """Find what kept the first answer from being stored."""
    strikes = [
        strike
        for strike in docket.evidence.strikes
        if strike.at_ms < second.received_ms and _ended_ms(strike) > first.received_ms
    ]
    if any(strike.trouble is Trouble.REDIS_FLUSHED for strike in strikes):
        return Why.FORGOTTEN
    on_row = set(docket.strikes_on(turn.row.row))
    if any(strike.trouble is Trouble.WORKER_FROZEN and strike in on_row for strike in strikes):
        return Why.FROZEN
    if any(strike.trouble is Trouble.WORKER_KILLED and strike in on_row for strike in strikes):
        return Why.KILLED
    is_cut_off = any(strike.trouble in _RESTARTS for strike in strikes)
    return Why.FROZEN if is_cut_off else Why.UNEXPLAINED


def _ended_ms(strike: Strike) -> float:
    return float("inf") if strike.until_ms is None else strike.until_ms
