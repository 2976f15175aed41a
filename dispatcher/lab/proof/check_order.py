"""One conversation, one turn at a time, in order."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher.lab.proof.docket import Docket, Turn
from dispatcher.lab.proof.evidence import Ask
from dispatcher.lab.proof.plan import Trouble
from dispatcher.lab.proof.verdict import Breach

_FROZEN_GRACE_MS = 5_000
"""A process that goes on after a freeze needs a moment to notice that its lease is over."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a turn belongs: the message that it answers may stand for older ones.

    Attributes:
        known_ms: When the store heard of it; the order is the one that was known at a claim.
        claimed_ms: When the claim began under which it was first answered.
    """

    turn: Turn
    earliest_ms: float
    latest_ms: float
    asked_ms: float
    known_ms: float
    claimed_ms: float


def find_out_of_order(docket: Docket) -> Iterator[Breach]:
    """Find turns that came before an older one of their conversation.

    A thread update may have carried older messages before it was turned to the one that it
    answers, and keeps the place that it had when it was claimed. So it may stand anywhere between
    the first message that it can have carried and the one that it answers.
    """
    for turns in docket.conversations.values():
        places = [place for place in _places(docket, turns) if place is not None]
        for later in places:
            earlier = next((one for one in places if _is_overtaken(one, by=later)), None)
            if earlier is not None:
                yield Breach(
                    promise="out_of_order",
                    text=f"{later.turn.mark.token} was asked before {earlier.turn.mark.token}, "
                    "which is older",
                    row=later.turn.row.row,
                    at_ms=later.asked_ms,
                )


def find_overlapping(docket: Docket) -> Iterator[Breach]:
    """Find asks that met another one of their session, and that we did not cause ourselves."""
    for seq, behind in _pairs(docket):
        if not _is_late_of_frozen(docket, seq, behind) and not _is_forgotten(docket, seq, behind):
            turn, ask = docket.turn_of_ask.get(seq), _ask(docket, seq)
            yield Breach(
                promise="overlapping",
                text=f"ask {seq} came while ask {behind} of its session was not over",
                row=turn.row.row if turn else None,
                at_ms=ask.received_ms if ask else None,
            )


def count_order(docket: Docket) -> Counter[str]:
    """Count what is told apart: late connections of frozen workers, and forgotten claims."""
    pairs = list(_pairs(docket))
    return Counter(
        late_connection_of_frozen=sum(_is_late_of_frozen(docket, *pair) for pair in pairs),
        overlapping_because_forgotten=sum(_is_forgotten(docket, *pair) for pair in pairs),
    )


def _is_overtaken(one: _Place, *, by: _Place) -> bool:
    is_late = one.latest_ms < by.earliest_ms and one.asked_ms > by.asked_ms
    return is_late and one.known_ms < by.claimed_ms


def _places(docket: Docket, turns: list[Turn]) -> Iterator[_Place | None]:
    agent, task = turns[0].row.agent, turns[0].row.task
    # A message that mentions somebody is told to nobody else: no thread update can carry it.
    mentioning = {row.message for row in docket.evidence.rows if row.kind == "mention"}
    spoken = sorted(
        message.created_ms
        for message in docket.thread(task)
        if message.author != agent and message.message not in mentioning
    )
    answered: list[float] = []
    for turn in sorted(turns, key=lambda each: _asked_ms(each) or 0.0):
        asked_ms = _asked_ms(turn)
        if asked_ms is None:
            continue
        if turn.row.kind != "thread_update" or turn.message is None:
            at_ms = turn.message.created_ms if turn.message else turn.row.created_ms
            yield _Place(turn, at_ms, at_ms, asked_ms, *_known(docket, turn, asked_ms))
            continue
        latest_ms = turn.message.created_ms
        before_ms = max((at for at in answered if at < latest_ms), default=0.0)
        earliest_ms = next((at for at in spoken if before_ms < at <= latest_ms), latest_ms)
        if docket.is_replied(turn):
            # Only then it is over; else it goes on, and may be turned to a newer message.
            answered.append(latest_ms)
        yield _Place(turn, earliest_ms, latest_ms, asked_ms, *_known(docket, turn, asked_ms))


def _known(docket: Docket, turn: Turn, asked_ms: float) -> tuple[float, float]:
    story = docket.story(turn.delivery)
    put = next((step.at_ms for step in story if step.word == "put"), 0.0)
    claims = [step.at_ms for step in story if step.word == "claimed" and step.at_ms <= asked_ms]
    return put, max(claims, default=asked_ms)


def _asked_ms(turn: Turn) -> float | None:
    first = turn.first_answered
    return None if first is None else first.received_ms


def _pairs(docket: Docket) -> Iterator[tuple[int, int]]:
    for contention in docket.evidence.contentions:
        for behind in contention.behind:
            yield contention.seq, behind
    yield from docket.evidence.overlaps


def _ask(docket: Docket, seq: int) -> Ask | None:
    return next((ask for ask in docket.evidence.asks if ask.seq == seq), None)


def _is_forgotten(docket: Docket, seq: int, behind: int) -> bool:
    """Say whether the earlier ask's claim was forgotten while it ran."""
    earlier, later = _ask(docket, behind), _ask(docket, seq)
    if earlier is None or later is None:
        return False
    return docket.is_flushed_between(earlier.received_ms, later.received_ms)


def _is_late_of_frozen(docket: Docket, seq: int, behind: int) -> bool:
    """Say whether one of two asks that met came from a worker that was frozen."""
    ask = _ask(docket, seq)
    if ask is None:
        return False
    for turn in (docket.turn_of_ask.get(seq), docket.turn_of_ask.get(behind)):
        for strike in docket.strikes_on(turn.row.row) if turn else ():
            until_ms = float("inf") if strike.until_ms is None else strike.until_ms
            is_then = strike.at_ms <= ask.received_ms <= until_ms + _FROZEN_GRACE_MS
            if strike.trouble is Trouble.WORKER_FROZEN and is_then:
                return True
    return False
