"""Pictures of what happened, as geometry; the templates draw them as SVG.

No plotting library: the pages work without a network, under a policy that allows no inline code or
style, and these are bars and lines.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dispatcher.domain.activity import Activity, Slot, by_agent, quantile_ms
from dispatcher.domain.ids import AgentId

WIDTH: Final = 360
HEIGHT: Final = 150
_LEFT: Final = 40
_RIGHT: Final = 6
_TOP: Final = 10
_BOTTOM: Final = 20
_INNER: Final = WIDTH - _LEFT - _RIGHT
_TALL: Final = HEIGHT - _TOP - _BOTTOM
_LABELS: Final = 4
_TOP_AGENTS: Final = 8

Measure = Callable[[Slot], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One part of a column; ``series`` chooses its colour, ``title`` is told on pointing at it."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, with gaps where nothing was measured; ``dots`` are single measurements."""

    series: int
    path: str
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture with its axes; coordinates fit the view box of 360 by 150."""

    title: str
    summary: str
    legend: tuple[str, ...]
    ticks: tuple[tuple[float, str], ...]
    times: tuple[tuple[float, str], ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to see."""
        return not self.bars and not any(line.dots for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one agent did; ``width`` of its bar in percent."""

    name: str
    answered: int
    tokens: int
    width: float


def charts(activity: Activity) -> tuple[Chart, ...]:
    """Draw throughput, waits, runs and tokens."""
    return (
        _columns("Throughput", activity, {"answered": "answered", "failed attempts": "failed"}),
        _lines("Wait for a reply", activity, "wait"),
        _lines("Time of a turn", activity, "run"),
        _columns("Tokens", activity, {"input": "in", "output": "out"}),
    )


def shares(activity: Activity, names: dict[AgentId, str]) -> tuple[Share, ...]:
    """Tell what each agent did, the busiest first."""
    total = activity.total()
    tokens = dict(by_agent(total, "tokens"))
    answered = dict(by_agent(total, "answered"))
    agents = sorted(tokens | answered, key=lambda one: (-answered.get(one, 0), -tokens.get(one, 0)))
    most = max((answered.get(agent, 0) for agent in agents), default=0) or 1
    return tuple(
        Share(
            name=names.get(agent, agent),
            answered=answered.get(agent, 0),
            tokens=tokens.get(agent, 0),
            width=round(100 * answered.get(agent, 0) / most, 1),
        )
        for agent in agents[:_TOP_AGENTS]
    )


def _columns(title: str, activity: Activity, series: dict[str, str]) -> Chart:
    """Draw stacked columns, one for each slot."""
    slots = activity.slots
    sums = [sum(slot.count(name) for name in series.values()) for slot in slots]
    ceiling = _ceiling(max(sums, default=0))
    width = _INNER / max(1, len(slots))
    bars = []
    for at, slot in enumerate(slots):
        base = float(HEIGHT - _BOTTOM)
        for number, (name, counted) in enumerate(series.items()):
            count = slot.count(counted)
            height = _TALL * count / ceiling
            base -= height
            if count:
                bars.append(
                    Bar(
                        x=round(_LEFT + at * width + 0.5, 1), y=round(base, 1),
                        width=round(max(1.0, width - 1), 1), height=round(height, 1),
                        series=number, title=f"{slot.began:%H:%M} UTC: {count} {name}",
                    )
                )  # fmt: skip
    total = activity.total()
    told = ", ".join(f"{total[counted]} {name}" for name, counted in series.items())
    return Chart(
        title=title,
        summary=f"{title}: {told} in all; at most {max(sums, default=0)} in one slot.",
        legend=tuple(series),
        ticks=_ticks(ceiling, _count_label),
        times=_times(slots),
        bars=tuple(bars),
    )


def _lines(title: str, activity: Activity, what: str) -> Chart:
    """Draw the median and the 95th percentile of waits or runs."""
    measures = {"median": 0.5, "95th percentile": 0.95}
    seen = [[quantile_ms(slot.counts, what, share) for slot in activity.slots]
            for share in measures.values()]  # fmt: skip
    ceiling = _ceiling(max((ms for line in seen for ms in line if ms is not None), default=0))
    step = _INNER / max(1, len(activity.slots) - 1)
    lines = tuple(
        _line(number, name, values, activity.slots, (step, ceiling))
        for number, (name, values) in enumerate(zip(measures, seen, strict=True))
    )
    total = activity.total()
    told = [f"{name} {_time_label(quantile_ms(total, what, share) or 0)}"
            for name, share in measures.items()]  # fmt: skip
    return Chart(
        title=title,
        summary=f"{title}: {', '.join(told)} over the whole time.",
        legend=tuple(measures),
        ticks=_ticks(ceiling, _time_label),
        times=_times(activity.slots),
        lines=lines,
    )


def _line(
    number: int,
    name: str,
    values: Sequence[int | None],
    slots: Sequence[Slot],
    scale: tuple[float, float],
) -> Line:
    step, ceiling = scale
    path, dots, is_down = [], [], False
    for at, (ms, slot) in enumerate(zip(values, slots, strict=True)):
        if ms is None:
            is_down = False
            continue
        x, y = round(_LEFT + at * step, 1), round(HEIGHT - _BOTTOM - _TALL * ms / ceiling, 1)
        path.append(f"{'L' if is_down else 'M'}{x} {y}")
        dots.append((x, y, f"{slot.began:%H:%M} UTC: {name} {_time_label(ms)}"))
        is_down = True
    return Line(series=number, path=" ".join(path), dots=tuple(dots))


def _ceiling(most: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    if most <= 1:
        return 1
    power = 10 ** math.floor(math.log10(most))
    return float(next(step * power for step in (1, 2, 5, 10) if most <= step * power))


def _ticks(ceiling: float, label: Callable[[float], str]) -> tuple[tuple[float, str], ...]:
    base = HEIGHT - _BOTTOM
    return tuple(
        (round(base - _TALL * share, 1), label(ceiling * share)) for share in (0.0, 0.5, 1.0)
    )


def _times(slots: Sequence[Slot]) -> tuple[tuple[float, str], ...]:
    if not slots:
        return ()
    every = max(1, len(slots) // _LABELS)
    step = _INNER / len(slots)
    return tuple(
        (round(_LEFT + at * step, 1), _clock(slots[at].began)) for at in range(0, len(slots), every)
    )


def _clock(at: datetime) -> str:
    return f"{at:%H:%M}"


def _count_label(number: float) -> str:
    if number >= 1_000_000:
        return f"{number / 1_000_000:g} M"
    return f"{number / 1_000:g} k" if number >= 1_000 else f"{number:g}"


def _time_label(ms: float) -> str:
    if ms < 1_000:
        return f"{ms:.0f} ms"
    return f"{ms / 1_000:.3g} s" if ms < 120_000 else f"{ms / 60_000:.3g} min"
