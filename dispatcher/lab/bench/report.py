"""What people and programs get to see of a benchmark: a document, tables, a picture of the waits."""

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psutil  # type: ignore[import-untyped]  # it has no types
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.lab.bench.cases import Scenario
from dispatcher.lab.bench.facts import Result
from dispatcher.lab.bench.verdict import SLOW, even, judge

FORM: Final = 1
"""Of the document; raised when an older reader could misunderstand it."""

_GROUPS: Final = (
    ("what people wait for", ("wait_p50_s", "wait_p90_s", "wait_p95_s", "wait_p99_s",
        "added_p50_s", "added_p99_s", "makespan_s", "limit_s", "makespan_ratio", "per_s")),
    ("CPU of a delivery", ("cpu_ms", "cpu_runtime_ms", "cpu_worker_ms", "cpu_redis_ms")),
    ("calls of a delivery", ("convex_calls", "lists", "redis_commands", "redis_scripts")),
    ("idle", ("core_percent", "core_runtime_percent", "core_worker_percent", "core_redis_percent",
        "convex_calls_per_min", "lists_per_interval", "redis_commands_per_s")),
    ("memory", ("rss_runtime_mib", "rss_worker_mib", "rss_redis_mib")),
    ("the run", ("deliveries", "seconds", "most_running", "unanswered",
        "replied_twice", "overlaps", "speed",
        "others_cores", "cpu_stand-in_ms", "cpu_driver_ms")),
)  # fmt: skip
_BARS: Final = 16
_WIDE: Final = 40


def document(scenario: Scenario, results: Sequence[Result], *, version: str) -> dict[str, Any]:
    """Make the document of a scenario, as it is printed with ``--json`` and read by ``compare``."""
    return {
        "form": FORM,
        "scenario": scenario.name,
        "about": scenario.text,
        "version": version,
        "is_partial": len(results) < len(scenario.cases)
        or any(result["is_partial"] for result in results),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(terse=True),
            "memory_mib": psutil.virtual_memory().total // (1024 * 1024),
        },
        "cases": list(results),
        "budgets": [
            {
                "budget": one.what,
                "found": None if one.found is None else round(one.found, 4),
                "ratio": None if one.ratio is None else round(one.ratio, 3),
                "is_kept": one.is_kept,
            }
            for one in judge(scenario, results)
        ],
    }


def is_kept(found: Mapping[str, Any]) -> bool:
    """Say whether a whole run has kept all its budgets."""
    return not found["is_partial"] and all(one["is_kept"] for one in found["budgets"])


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print a document for people."""
    cases: list[Result] = found["cases"]
    title = f"{found['scenario']}: {found['about']}"
    parts: list[RenderableType] = [Text(f"\n{title}", style="bold")]
    if found["is_partial"]:
        parts.append(Text("PARTIAL: it was interrupted; no budget is judged.", style="yellow"))
    parts += [Text(f"  {case['case']}: {_told(case)}") for case in cases]
    parts.append(_numbers(cases))
    parts += [_picture(case) for case in cases if case["waits_s"]]
    parts.append(_budgets(found["budgets"]))
    parts += [Text(line, style="yellow") for line in _doubts(found)]
    console.print(Group(*parts))


def _told(case: Result) -> str:
    count = case["workers"]
    workers = "1 worker" if count == 1 else f"{count} workers"
    settings = ", ".join(f"{name}={value}" for name, value in case["settings"].items())
    return f"{workers}, {settings}, all else at its defaults"


def _numbers(cases: Sequence[Result]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("", *(case["case"] for case in cases)):
        table.add_column(head, justify="right" if head else "left")
    for group, names in _GROUPS:
        shown = [name for name in names if any(name in case["facts"] for case in cases)]
        if shown:
            table.add_row(Text(group, style="dim"))
        for name in shown:
            values = (case["facts"].get(name) for case in cases)
            table.add_row(f"  {name}", *("" if one is None else f"{one:g}" for one in values))
    return table


def _picture(case: Result) -> Text:
    """Draw how the waits are spread: one bar for each equal part of the time."""
    waits = case["waits_s"]
    low, high = waits[0], waits[-1]
    width = (high - low) / _BARS or 1.0
    counts = [0] * _BARS
    for wait in waits:
        counts[min(_BARS - 1, int((wait - low) / width))] += 1
    most = max(counts)
    lines = [
        f"{low + at * width:7.2f} s {'█' * round(_WIDE * count / most)} {count or ''}"
        for at, count in enumerate(counts)
    ]
    return Text("\n".join((f"waits of {case['case']}", *lines)), style="cyan")


def _budgets(budgets: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("budget", "found", "ratio", ""):
        table.add_column(head, justify="left" if head in {"budget", ""} else "right")
    words = {True: Text("kept", "green"), False: Text("NOT KEPT", "red"), None: Text("-")}
    for one in budgets:
        found, ratio = one["found"], one["ratio"]
        table.add_row(
            one["budget"],
            "" if found is None else f"{found:g}",
            "" if ratio is None else f"{ratio:.2f}",
            words[one["is_kept"]],
        )
    return table


def _doubts(found: Mapping[str, Any]) -> list[str]:
    """Say what makes the numbers less trustworthy than they look."""
    said = []
    speed = min((case["facts"]["speed"] for case in found["cases"]), default=1.0)
    if speed < SLOW:
        said.append(
            f"This machine ran at {speed:.2f} of the reference's speed: budgets of CPU and throughput "
            "are scaled by that; compare the ratios."
        )
    cores = found["machine"]["cores"] or 1
    if cores < 2:
        said.append("This machine has one core; the budgets are for two.")
    busy = max((case["facts"]["others_cores"] for case in found["cases"]), default=0.0)
    if busy > 0.2:
        said.append(f"Other programs used {busy:.1f} cores meanwhile; run it again without them.")
    return said


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> Table:
    """Put the facts of two documents beside each other, with the ratio of the second to the first.

    Costs are divided by the speed that the machine had in the meantime.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("case", "fact", "A", "B", "B / A"):
        table.add_column(head, justify="left" if head in {"case", "fact"} else "right")
    others = {case["case"]: case["facts"] for case in other["cases"]}
    for case in one["cases"]:
        facts, theirs = case["facts"], others.get(case["case"], {})
        for name in (name for _, names in _GROUPS for name in names):
            if name in facts and name in theirs:
                before, after = (even(name, found) or 0.0 for found in (facts, theirs))
                ratio = f"{after / before:.2f}" if before else "-"
                table.add_row(case["case"], name, f"{before:.4g}", f"{after:.4g}", ratio)
    return table
