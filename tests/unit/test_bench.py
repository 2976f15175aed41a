"""What the benchmark makes of its readings: facts, verdicts, documents, comparisons."""

import io
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from dispatcher.cli import dispatcher
from dispatcher.lab.bench.cases import SCENARIOS, SHORT, Budget, Case, Growth, Scenario
from dispatcher.lab.bench.facts import Result, facts_of, percentile
from dispatcher.lab.bench.meter import Reading
from dispatcher.lab.bench.report import compare, document, is_kept, show
from dispatcher.lab.bench.rows import Rows
from dispatcher.lab.bench.run import Watch
from dispatcher.lab.bench.verdict import judge
from dispatcher.lab.bench.yardstick import Yardstick

CASE = Case(name="one", notifications=4, conversations=2, run_s=1.0)
MARKS = "markNotificationDelivered"
LISTS = "listUndeliveredNotifications"
USUAL = {"speed": 1.0, "others_cores": 0.0, "overlaps": 0, "replied_twice": 0, "unanswered": 0}


def reading(at_s: float, cpu_s: float, calls: dict[str, int], delivered: int = 0) -> Reading:
    groups = dict.fromkeys(("runtime", "worker", "redis", "stand-in"), cpu_s)
    return Reading(
        at_s=at_s, cpu_s=groups, busy_s=4 * cpu_s, commands=round(cpu_s * 1000),
        scripts=round(cpu_s * 100), calls=calls, delivered=delivered,
    )  # fmt: skip


def result(**facts: float) -> Result:
    return Result(
        case="one", workers=1, settings={}, facts={**USUAL, **facts}, waits_s=[1.0, 2.0],
        is_partial=False,
    )  # fmt: skip


def facts(watch: Watch, ledger: list[list[Any]], case: Case = CASE) -> dict[str, float]:
    progress = {"most_running": 2, "overlaps": 0}
    return facts_of(case, watch, progress, ledger, {})["facts"]


def test_the_costs_of_a_delivery_are_shares_of_what_was_used_meanwhile() -> None:
    # One was marked twice: it is one delivery all the same.
    watch = Watch(begin=reading(10, 1.0, {MARKS: 1, LISTS: 5}, delivered=1))
    watch.end = reading(14, 1.2, {MARKS: 6, LISTS: 9}, delivered=5)
    ledger = [[0, 1_000, 3_000, 3_100, 1], [1, 1_000, 2_500, 2_600, 1]]

    found = facts(watch, ledger)

    assert found["deliveries"] == 4
    assert found["cpu_worker_ms"] == pytest.approx(50)
    assert found["cpu_ms"] == pytest.approx(150), "without the stand-in"
    assert found["convex_calls"] == pytest.approx(2.25)
    assert found["lists"] == 4
    assert found["redis_commands"] == pytest.approx(50)
    assert found["makespan_s"] == pytest.approx(2)
    assert found["makespan_ratio"] == pytest.approx(1), "two rounds of one second"
    assert found["wait_p50_s"] == pytest.approx(1.5)
    assert found["added_p50_s"] == pytest.approx(0.5)


def test_conversations_that_hang_are_nobodys_wait() -> None:
    watch = Watch(begin=reading(10, 1.0, {}))
    watch.end = reading(14, 1.2, {}, delivered=1)
    ledger = [[0, 1_000, 2_000, 2_100, 1], [2, 1_000, None, None, 0]]

    assert facts(watch, ledger)["wait_p99_s"] == pytest.approx(1)


def test_idle_costs_are_told_by_the_second() -> None:
    watch = Watch(begin=reading(10, 1.0, {LISTS: 1}), lists=[(10.0, 1), (40.0, 3)])
    watch.end = reading(50, 1.4, {LISTS: 3})

    found = facts(watch, [], Case(name="idle", seconds=40))

    assert found["core_percent"] == pytest.approx(3)
    assert found["lists_per_interval"] == pytest.approx(1)


def test_two_lists_within_one_look_are_two() -> None:
    watch = Watch(begin=reading(10, 1.0, {}), lists=[(10.0, 1), (40.0, 5)])

    assert facts(watch, [], Case(name="idle", seconds=40))["lists_per_interval"] == 2


@pytest.mark.parametrize("wrong", ["unanswered", "replied_twice", "overlaps"])
def test_no_speed_makes_up_for_an_answer_that_is_lost_or_doubled(wrong: str) -> None:
    scenario = Scenario(name="s", text="", cases=(CASE,))

    found = [document(scenario, [result(**{wrong: count})], version="1") for count in (0, 1)]

    assert [is_kept(one) for one in found] == [True, False]


@pytest.mark.parametrize(
    ("row", "ends", "count"),
    [
        ([0, 1_000, 2_000, 2_100, 1], 0, 0),
        ([0, 1_000, None, 2_100, 0], 0, 1),
        ([0, 1_000, None, 2_100, 0], 1, 1),
        ([0, 1_000, None, None, 0], 0, 1),
        ([0, 1_000, None, None, 0], 1, 0),
    ],
)
def test_what_is_marked_or_waited_for_must_have_an_answer(
    row: list[Any], ends: int, count: int
) -> None:
    case = Case(name="one", notifications=1, ends=ends)
    watch = Watch(begin=reading(10, 1.0, {}), end=reading(14, 1.2, {}, delivered=1))

    assert facts(watch, [row], case)["unanswered"] == count


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([1, 2, 3, 4], at) for at in (1, 50, 75, 99, 100)] == [1, 2, 3, 4, 4]


@pytest.mark.parametrize(
    ("value", "speed", "kept"),
    [(4.9, 1.0, True), (5.1, 1.0, False), (5.1, 0.95, False), (9.0, 0.5, True), (9.1, 0.5, False)],
)
def test_only_a_slow_machine_is_allowed_more(value: float, speed: float, kept: bool) -> None:
    budget = Budget(fact="cpu_ms", limit=5, scales=True)
    scenario = Scenario(name="s", text="", cases=(CASE,), budgets=(budget,))

    verdict, _ = judge(scenario, [result(cpu_ms=value, speed=speed)])

    assert verdict.is_kept is kept
    assert (verdict.ratio <= 1) is kept


def test_a_least_is_missed_from_below() -> None:
    budget = Budget(fact="per_s", limit=150, is_least=True)
    scenario = Scenario(name="s", text="", cases=(CASE,), budgets=(budget,))

    kept = [judge(scenario, [result(per_s=value)])[0].is_kept for value in (149, 150, 0)]

    assert kept == [False, True, False]


def test_growth_is_judged_at_one_speed() -> None:
    growth = Growth(fact="cpu_ms", small="one", large="two", limit=1.2)
    cases = (CASE, Case(name="two"))
    scenario = Scenario(name="s", text="", cases=cases, budgets=(growth,))
    large = {**result(cpu_ms=10, speed=0.5), "case": "two"}

    verdict, *_ = judge(scenario, [result(cpu_ms=5, speed=1.0), large])

    assert verdict.found == pytest.approx(1)
    assert judge(scenario, [large])[0].is_kept is None


def test_a_partial_run_is_marked_and_judged_by_nobody() -> None:
    budget = Budget(fact="cpu_ms", limit=5)
    scenario = Scenario(name="s", text="t", cases=(CASE,), budgets=(budget,))
    partial = {**result(cpu_ms=1), "is_partial": True}

    found = document(scenario, [partial], version="1")

    assert found["is_partial"]
    assert found["budgets"][0]["is_kept"] is None
    assert not is_kept(found)
    assert document(scenario, [], version="1")["is_partial"]
    assert "PARTIAL" in shown(found)


def shown(found: dict[str, Any]) -> str:
    text = io.StringIO()
    show(found, Console(file=text, width=120))
    return text.getvalue()


def test_people_see_numbers_a_picture_the_budgets_and_what_makes_them_doubtful() -> None:
    budget = Budget(fact="cpu_ms", limit=5, scales=True)
    scenario = Scenario(name="s", text="t", cases=(CASE,), budgets=(budget,))
    one = result(cpu_ms=4, speed=0.4, others_cores=0.7, overlaps=1, replied_twice=1)

    text = shown(document(scenario, [one], version="1"))

    assert "waits of one" in text
    assert "█" in text
    assert "cpu_ms at most 11.25" in text
    assert "0.40 of the reference's speed" in text
    assert "Other programs used 0.7 cores" in text
    assert "one: unanswered, answered twice or overlapping: none" in text
    assert "NOT KEPT" in text


def test_two_documents_are_compared_at_one_speed(tmp_path: Path) -> None:
    scenario = SCENARIOS["overhead"]
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    slow = {**result(cpu_ms=8, speed=0.5), "case": "overhead"}
    quick = {**result(cpu_ms=2, speed=1.0), "case": "overhead"}
    for path, found in ((before, slow), (after, quick)):
        path.write_text(json.dumps(document(scenario, [found], version="1")))

    done = CliRunner().invoke(dispatcher, ["bench", "compare", str(before), str(after)])

    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if "cpu_ms" in line]
    assert line.split() == ["overhead", "cpu_ms", "4", "2", "0.50"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cases": [{}], "scenario": "x"}', "\udcff"])
def test_what_is_no_document_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    done = CliRunner().invoke(dispatcher, ["bench", "compare", str(path), str(path)])

    assert done.exit_code == 2
    assert "is no document of" in done.output


def test_documents_of_two_scenarios_are_not_compared(tmp_path: Path) -> None:
    for name in ("burst", "idle"):
        found = document(SCENARIOS[name], [], version="1")
        (tmp_path / name).write_text(json.dumps(found))

    done = CliRunner().invoke(
        dispatcher, ["bench", "compare", str(tmp_path / "burst"), str(tmp_path / "idle")]
    )

    assert done.exit_code == 2


@pytest.mark.parametrize("arguments", [["overhead"], ["compare"]])
def test_without_its_extra_the_benchmark_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    for name in ("psutil", "dispatcher.lab.bench.report", "dispatcher.lab.bench.run"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "one.json"
    path.write_text("{}")
    files = [str(path), str(path)] if arguments == ["compare"] else []

    done = CliRunner().invoke(dispatcher, ["bench", *arguments, *files])

    assert done.exit_code == 69
    assert "pip install 'mission-control-dispatcher[embedded]'" in done.output


def test_every_budget_is_about_cases_that_exist() -> None:
    for scenario in SCENARIOS.values():
        names = {case.name for case in scenario.cases}
        assert len(names) == len(scenario.cases)
        for budget in scenario.budgets:
            named = {budget.small, budget.large} if isinstance(budget, Growth) else {budget.case}
            assert named <= names | {""}
    assert set(SHORT) <= set(SCENARIOS)


def test_the_stand_in_lists_the_oldest_rows_that_are_not_delivered() -> None:
    rows = Rows(agents=2)
    rows.add([0, 1, 2], now_ms=1_000.0)
    first, second, _ = rows.answer(LISTS, {"limit": 5}, 1_100.0)

    rows.answer(MARKS, {"notificationId": first["_id"]}, 1_200.0)

    assert rows.answer(LISTS, {"limit": 1}, 1_300.0)[0]["_id"] == second["_id"]
    assert rows.calls == Counter({LISTS: 2, MARKS: 1})
    with pytest.raises(LookupError):
        rows.answer("noSuchAction", {}, 1_400.0)


def test_the_yardstick_measures_this_machine() -> None:
    yardstick = Yardstick()
    assert yardstick.speed() == pytest.approx(1)

    yardstick.look()

    assert 0.01 < yardstick.speed() < 100


def test_the_table_of_a_comparison_leaves_out_what_only_one_has() -> None:
    one = {"cases": [result(cpu_ms=1, lists=2)]}
    other = {"cases": [result(cpu_ms=3)]}

    assert compare(one, other).row_count == 1 + len(USUAL)
