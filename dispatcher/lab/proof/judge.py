"""Judges the evidence; a pure function, so that it can be shown to fail."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from dispatcher.lab.proof.check_answers import (
    count_answers,
    find_dead_without_cause,
    find_duplicated,
    find_lost,
    find_unaccounted,
)
from dispatcher.lab.proof.check_order import count_order, find_out_of_order, find_overlapping
from dispatcher.lab.proof.check_recovery import find_slow_recovery, recoveries
from dispatcher.lab.proof.check_repeats import count_repeats, find_paid_twice
from dispatcher.lab.proof.check_tools import count_tools, find_lost_effects, find_made_twice
from dispatcher.lab.proof.docket import Docket
from dispatcher.lab.proof.evidence import Evidence
from dispatcher.lab.proof.verdict import Breach, Verdict

_CHECKS: Final = (
    find_lost,
    find_lost_effects,
    find_duplicated,
    find_made_twice,
    find_out_of_order,
    find_overlapping,
    find_paid_twice,
    find_unaccounted,
    find_dead_without_cause,
    find_slow_recovery,
)


def judge(evidence: Evidence) -> Verdict:
    """Compare what happened with what was promised."""
    docket = Docket(evidence)
    counted: Counter[str] = Counter()
    for count in (count_repeats, count_order, count_answers, count_tools):
        counted.update(count(docket))
    unchecked = {}
    if evidence.stories is None:
        unchecked["paid_twice"] = "the store keeps no stories of its deliveries"
    return Verdict(
        breaches=tuple(breach for check in _CHECKS for breach in _in_time(check(docket))),
        unchecked=unchecked,
        counted=counted,
        recoveries=recoveries(docket),
    )


def _in_time(breaches: Iterable[Breach]) -> list[Breach]:
    return sorted(breaches, key=lambda breach: breach.at_ms or 0.0)
