"""Holds what was measured against the budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dispatcher.lab.bench.cases import Budget, Growth, Scenario
from dispatcher.lab.bench.facts import Result

SLOW: Final = 0.9
"""Below this speed a machine is called slow."""
WRONGS: Final = ("unanswered", "replied_twice", "overlaps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One budget and what became of it.

    Attributes:
        ratio: Found over allowed; up to 1 is kept.
        is_kept: None when it was not measured.
    """

    what: str
    found: float | None
    allowed: float
    ratio: float | None
    is_kept: bool | None


def judge(scenario: Scenario, results: Sequence[Result]) -> list[Verdict]:
    """Judge all budgets of a scenario; results of a partial run are judged by nobody."""
    whole = {result["case"]: result for result in results if not result["is_partial"]}
    found: list[Verdict] = []
    for budget in scenario.budgets:
        if isinstance(budget, Growth):
            found.append(_grown(budget, whole))
            continue
        found += [
            _kept(budget, case.name, whole.get(case.name))
            for case in scenario.cases
            if budget.case in {"", case.name}
        ]
    return found + [_sound(case.name, whole.get(case.name)) for case in scenario.cases]


def _sound(case: str, result: Result | None) -> Verdict:
    """Judge what no speed makes up for: each notification has one answer, and turns take turns."""
    wrong = None if result is None else sum(result["facts"][name] for name in WRONGS)
    return Verdict(
        what=f"{case}: unanswered, answered twice or overlapping: none",
        found=wrong,
        allowed=0,
        ratio=None,
        is_kept=None if wrong is None else wrong == 0,
    )


def _kept(budget: Budget, case: str, result: Result | None) -> Verdict:
    value = result["facts"].get(budget.fact) if result else None
    allowed = budget.limit
    if budget.scales and result is not None and result["facts"]["speed"] < SLOW:
        # A machine this slow cannot be held to the number, only to its share of it.
        factor = SLOW / result["facts"]["speed"]
        allowed = allowed / factor if budget.is_least else allowed * factor
    ratio = None if value is None else _ratio(value, allowed, is_least=budget.is_least)
    sign = "at least" if budget.is_least else "at most"
    return Verdict(
        what=f"{case}: {budget.fact} {sign} {allowed:g}",
        found=value,
        allowed=allowed,
        ratio=ratio,
        is_kept=None if ratio is None else ratio <= 1,
    )


def _grown(growth: Growth, whole: Mapping[str, Result]) -> Verdict:
    small, large = (
        even(growth.fact, whole[name]["facts"]) if name in whole else None
        for name in (growth.small, growth.large)
    )
    value = None if small is None or large is None or not small else large / small
    return Verdict(
        what=f"{growth.fact}: {growth.large} over {growth.small} at most {growth.limit:g}",
        found=value,
        allowed=growth.limit,
        ratio=None if value is None else value / growth.limit,
        is_kept=None if value is None else value <= growth.limit,
    )


def even(name: str, facts: Mapping[str, float]) -> float | None:
    """Give a fact; costs as they would be at the reference's speed, so that runs can be compared."""
    value = facts.get(name)
    is_cost = name.startswith(("cpu_", "core_"))
    return value * facts["speed"] if is_cost and value is not None else value


def _ratio(value: float, allowed: float, *, is_least: bool) -> float:
    if is_least:
        return allowed / value if value else float("inf")
    return value / allowed
