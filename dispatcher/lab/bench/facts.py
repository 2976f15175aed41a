"""Turns what was seen into numbers: waits, costs per delivery, memory."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypedDict

from dispatcher.lab.bench.cases import ALWAYS, Case
from dispatcher.lab.bench.meter import Group, Reading

if TYPE_CHECKING:
    from dispatcher.lab.bench.run import Watch

OURS: Final = ("runtime", "worker", "redis")
LISTS: Final = "listUndeliveredNotifications"
_DEFAULT_INTERVAL_MS: Final = 15_000


class Result(TypedDict):
    """What one case came to.

    Attributes:
        workers: Processes.
        settings: What differed from the defaults.
        facts: Numbers by name; the name ends with the unit.
        waits_s: From the creation of each notification to its reply, sorted.
        is_partial: It was interrupted.
    """

    case: str
    workers: int
    settings: dict[str, str]
    facts: dict[str, float]
    waits_s: list[float]
    is_partial: bool


def facts_of(
    case: Case,
    watch: "Watch",
    progress: Mapping[str, Any],
    ledger: Sequence[Sequence[Any]],
    groups: Mapping[str, Group],
) -> Result:
    """Make the facts of a case."""
    begin, end = watch.begin, watch.end or watch.begin
    rows = [row for row in ledger if row[0] < case.conversations]
    waits = sorted((row[2] - row[1]) / 1000 for row in rows if row[2] is not None)
    counted = end.delivered - begin.delivered
    facts: dict[str, float] = {"deliveries": counted, "seconds": end.at_s - begin.at_s}
    if waits:
        facts |= _facts_of_waits(case, waits, rows)
    if counted:
        facts |= _costs(begin, end, counted)
    else:
        facts |= _idle_facts(case, watch, begin, end)
    facts |= {
        f"rss_{name}_mib": round(groups[name].most_rss_mib, 1) for name in OURS if name in groups
    }
    facts |= {
        "speed": watch.yardstick.speed(),
        "most_running": progress["most_running"],
        "overlaps": progress["overlaps"],
        "replied_twice": sum(row[4] > 1 for row in rows),
        "unanswered": _unanswered(case, rows),
        "others_cores": max(0.0, _others(begin, end)),
    }
    return Result(
        case=case.name,
        workers=case.workers,
        settings=ALWAYS | dict(case.settings),
        facts={name: round(value, 4) for name, value in facts.items()},
        waits_s=[round(wait, 3) for wait in waits],
        is_partial=watch.is_partial,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of sorted values."""
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _facts_of_waits(
    case: Case, waits: Sequence[float], rows: Sequence[Sequence[Any]]
) -> dict[str, float]:
    facts = {f"wait_p{percent}_s": percentile(waits, percent) for percent in (50, 90, 95, 99)}
    facts |= {
        f"added_p{percent}_s": facts[f"wait_p{percent}_s"] - case.run_s for percent in (50, 99)
    }
    makespan = (max(row[2] or 0 for row in rows) - min(row[1] for row in rows)) / 1000
    facts |= {"makespan_s": makespan, "per_s": len(waits) / makespan}
    if case.limit_s and not case.seconds:
        facts |= {"limit_s": case.limit_s, "makespan_ratio": makespan / case.limit_s}
    return facts


def _costs(begin: Reading, end: Reading, count: int) -> dict[str, float]:
    used = {name: end.cpu_s[name] - begin.cpu_s[name] for name in end.cpu_s}
    facts = {f"cpu_{name}_ms": 1000 * seconds / count for name, seconds in used.items()}
    calls = sum(end.calls.values()) - sum(begin.calls.values())
    lists = end.calls.get(LISTS, 0) - begin.calls.get(LISTS, 0)
    return facts | {
        "cpu_ms": sum(facts[f"cpu_{name}_ms"] for name in OURS),
        "convex_calls": calls / count,
        "lists": lists,
        "redis_commands": (end.commands - begin.commands) / count,
        "redis_scripts": (end.scripts - begin.scripts) / count,
    }


def _idle_facts(case: Case, watch: "Watch", begin: Reading, end: Reading) -> dict[str, float]:
    seconds = end.at_s - begin.at_s or 1.0
    used = {name: end.cpu_s[name] - begin.cpu_s[name] for name in end.cpu_s}
    facts = {f"core_{name}_percent": 100 * spent / seconds for name, spent in used.items()}
    facts["core_percent"] = sum(facts[f"core_{name}_percent"] for name in OURS)
    facts["redis_commands_per_s"] = (end.commands - begin.commands) / seconds
    facts["convex_calls_per_min"] = (
        60 * (sum(end.calls.values()) - sum(begin.calls.values())) / seconds
    )
    if len(watch.lists) > 1:
        interval_s = int(case.settings.get("DELIVERY_INTERVAL", _DEFAULT_INTERVAL_MS)) / 1000
        (first_s, before), (last_s, after) = watch.lists[0], watch.lists[-1]
        facts["lists_per_interval"] = round(interval_s * (after - before) / (last_s - first_s), 2)
    return facts


def _unanswered(case: Case, rows: Sequence[Sequence[Any]]) -> int:
    """Count what got no reply although it is marked, or although the case waits for all of them."""
    return sum(row[2] is None and (row[3] is not None or not case.ends) for row in rows)


def _others(begin: Reading, end: Reading) -> float:
    """Return how many cores were busy with what is none of the benchmark's processes."""
    seconds = end.at_s - begin.at_s or 1.0
    ours = sum(end.cpu_s.values()) - sum(begin.cpu_s.values())
    return (end.busy_s - begin.busy_s - ours) / seconds
