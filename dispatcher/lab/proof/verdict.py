"""What the judge says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PROMISES: Final = (
    "lost",
    "duplicated",
    "out_of_order",
    "overlapping",
    "paid_twice",
    "unaccounted",
    "dead_without_cause",
    "slow_recovery",
)
"""What must not happen, in the order in which it is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One broken promise.

    Attributes:
        text: What happened, in one sentence.
        row: The notification that it happened to, where there is one.
        at_ms: When, as far as it is known.
    """

    promise: str
    text: str
    row: str | None = None
    at_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """From a kill to running again.

    Attributes:
        process: What was killed.
        is_lead: It led, and this is the time until another one did.
        row: The notification that was in work in a killed worker, else None.
    """

    process: str
    is_lead: bool
    row: str | None
    at_ms: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole judgement.

    Attributes:
        breaches: In the order of ``PROMISES``, then of time.
        unchecked: Promises that could not be judged, with the reason.
        counted: What is counted apart and breaks no promise.
        recoveries: Of deliveries whose worker was killed, and of the lead.
    """

    breaches: tuple[Breach, ...]
    unchecked: Mapping[str, str]
    counted: Mapping[str, int]
    recoveries: tuple[Recovery, ...]

    @property
    def is_kept(self) -> bool:
        """Say whether every promise was kept."""
        return not self.breaches and not self.unchecked

    def count(self, promise: str) -> int:
        """Count the breaches of a promise."""
        return sum(breach.promise == promise for breach in self.breaches)

    def seconds(self, *, is_lead: bool | None = None) -> tuple[float, ...]:
        """Return how long the recoveries took, of one kind or all, shortest first."""
        chosen = (one for one in self.recoveries if is_lead is None or one.is_lead is is_lead)
        return tuple(sorted(one.seconds for one in chosen))


def percentile(values: tuple[float, ...], share: float) -> float | None:
    """Return the smallest value that at least a share of all do not exceed; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    rank = max(1, -int(-share * len(ordered) // 1))
    return ordered[rank - 1]
