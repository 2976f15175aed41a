"""What happened lately, slot by slot, and what it says of waits."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.domain.ids import AgentId

ENDS_MS: Final = (
    250, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 20_000, 30_000, 45_000,
    60_000, 90_000, 120_000, 300_000, 600_000, 1_800_000,
)  # fmt: skip
"""Upper ends of the classes into which the store counts waits and runs; the last one is open."""

_LONGEST_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What was counted in one slot of time, by name; see the store's ``counts.lua``."""

    began: datetime
    counts: Mapping[str, int]

    def count(self, name: str) -> int:
        """Return how often something happened."""
        return self.counts.get(name, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The last slots of a series, the oldest first; the last one still runs.

    Attributes:
        length: Of one slot.
    """

    at: datetime
    length: timedelta
    slots: tuple[Slot, ...]

    def total(self) -> Counter[str]:
        """Add up all slots."""
        total: Counter[str] = Counter()
        for slot in self.slots:
            total.update(slot.counts)
        return total

    def per_minute(self, name: str, *, within: timedelta) -> float:
        """Return how often something happened in a minute, over the last while."""
        since = self.at - within
        happened = sum(slot.count(name) for slot in self.slots if slot.began >= since)
        return happened / (within / timedelta(minutes=1))


def quantile_ms(counts: Mapping[str, int], what: str, share: float) -> int | None:
    """Estimate a quantile of waits or runs from their classes.

    Args:
        counts: Of one slot, or of many.
        what: ``wait`` or ``run``.
        share: 0.5 for the median.

    Returns:
        Milliseconds, by going straight through the class in which it lies; None of nothing.
    """
    classes = [counts.get(f"{what}:{number}", 0) for number in range(len(ENDS_MS) + 1)]
    wanted = share * sum(classes)
    if not wanted:
        return None
    seen, low = 0, 0
    for number, count in enumerate(classes):
        high = ENDS_MS[number] if number < len(ENDS_MS) else _LONGEST_MS
        if count and seen + count >= wanted:
            return round(low + (high - low) * (wanted - seen) / count)
        seen, low = seen + count, high
    return low


def by_agent(counts: Mapping[str, int], what: str) -> Sequence[tuple[AgentId, int]]:
    """Return what was counted for each agent, the most first: ``answered`` or ``tokens``."""
    found = _parts(counts, what)
    return sorted(((AgentId(name), count) for name, count in found), key=lambda one: -one[1])


def by_word(counts: Mapping[str, int], what: str) -> dict[str, int]:
    """Return what was counted for each word: ``settled`` by outcome, ``dead`` by cause."""
    return dict(_parts(counts, what))


def _parts(counts: Mapping[str, int], what: str) -> Iterable[tuple[str, int]]:
    for name, count in counts.items():
        kind, _, rest = name.partition(":")
        if kind == what and rest:
            yield rest, count
