"""How long from a kill to running again?"""

from collections.abc import Iterator
from typing import Final

from dispatcher.lab.proof.docket import Docket, row_of
from dispatcher.lab.proof.evidence import Strike
from dispatcher.lab.proof.plan import Trouble
from dispatcher.lab.proof.verdict import Breach, Recovery, percentile

LIMIT_S: Final = 30.0
_SHARE: Final = 0.99
_LAST_WRITES_MS: Final = 50
_RUNNING: Final = frozenset({
    "claimed", "asked", "answered", "tools", "posting", "marking", "dying", "resting", "settled",
    "dead",
})  # fmt: skip


def recoveries(docket: Docket) -> tuple[Recovery, ...]:
    """Measure the deliveries of killed workers, and the lead of killed runtimes."""
    workers = [
        recovery
        for strike in docket.evidence.strikes
        if strike.trouble is Trouble.WORKER_KILLED
        for delivery in sorted(strike.held)
        for recovery in _worker_recovery(docket, strike, row_of(delivery))
    ]
    leads = [
        Recovery(
            process=gap.process,
            is_lead=True,
            row=None,
            at_ms=gap.at_ms,
            seconds=(gap.led_ms - gap.at_ms) / 1000,
        )
        for gap in docket.evidence.gaps
        if gap.led_ms is not None
    ]
    return (*workers, *leads)


def find_slow_recovery(docket: Docket) -> Iterator[Breach]:
    """Find out whether nearly all recoveries stayed within the limit."""
    for gap in docket.evidence.gaps:
        if gap.led_ms is None:
            yield Breach(
                promise="slow_recovery",
                text="no runtime led within a minute after a kill",
                at_ms=gap.at_ms,
            )
    found = recoveries(docket)
    worst = percentile(tuple(one.seconds for one in found), _SHARE)
    if worst is None or worst <= LIMIT_S:
        return
    for one in found:
        if one.seconds > LIMIT_S:
            yield Breach(
                promise="slow_recovery",
                text=f"it took {one.seconds:.1f} s after {one.process} was killed",
                row=one.row,
                at_ms=one.at_ms,
            )


def _worker_recovery(docket: Docket, strike: Strike, row: str) -> Iterator[Recovery]:
    after_ms = strike.at_ms + _LAST_WRITES_MS
    again_ms = min((at for at in _effects(docket, row) if at > after_ms), default=None)
    if again_ms is not None:
        yield Recovery(
            process=strike.process,
            is_lead=False,
            row=row,
            at_ms=strike.at_ms,
            seconds=(again_ms - strike.at_ms) / 1000,
        )


def _effects(docket: Docket, row: str) -> Iterator[float]:
    """Yield when a delivery of a notification was seen running, inside or outside."""
    for turn in docket.turns:
        if turn.row.row == row:
            yield from (ask.received_ms for ask in turn.asks)
    for message in docket.evidence.messages:
        if message.source == row:
            yield message.created_ms
    delivered_ms = docket.rows[row].delivered_ms if row in docket.rows else None
    if delivered_ms is not None:
        yield delivered_ms
    for delivery, story in (docket.evidence.stories or {}).items():
        if row_of(delivery) == row:
            yield from (step.at_ms for step in story if step.word in _RUNNING)
