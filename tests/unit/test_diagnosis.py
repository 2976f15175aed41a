"""What keeps work waiting, and what is told to do about it: the same for everybody who asks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher.domain.diagnosis import Limits, diagnose, runtime_is_silent
from dispatcher.domain.ids import AgentId
from dispatcher.domain.standing import Asking, Level, Problem, Report, Standing, Worker
from dispatcher.domain.world import AgentRest, Circuit, CircuitState, World

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
WRITER = AgentId("a-writer")
ALIVE = (Worker(name="h:1", pulse_at=NOON, threads=32, version="1"),)
CIRCUIT = Circuit(
    state=CircuitState.OPEN, cause="gateway_unavailable", since=NOON - timedelta(seconds=42),
    failures=3, probe_at=NOON,
)  # fmt: skip


def told(*, world: dict[str, Any] | None = None, standing: dict[str, Any] | None = None,
         **facts: Any) -> tuple[Problem, ...]:  # fmt: skip
    calm: dict[str, Any] = {"at": NOON, "circuit": None, "stop": None, "rests": (), "paused": ()}
    lives: dict[str, Any] = {"at": NOON, "workers": ALIVE, "runtimes": 1, "cap": 10}
    how: dict[str, Any] = {"oldest_wait": timedelta(0), "dead": 0, "limits": Limits()}
    return diagnose(
        Standing(**(lives | (standing or {}))), World(**(calm | (world or {}))),
        names={WRITER: "writer"}, **(how | facts),
    )  # fmt: skip


def test_nothing_is_wrong_when_nothing_is() -> None:
    assert told() == ()


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        ({"world": {"circuit": CIRCUIT}}, Level.DOWN, "gateway_unavailable, for 42 s"),
        ({"world": {"stop": "credentials_rejected"}}, Level.DOWN, "Convex is not called"),
        ({"standing": {"workers": ()}}, Level.DEGRADED, "No worker has given a sign of life"),
        ({"standing": {"cap": 40}}, Level.NOTE, "32 threads for 40 turns"),
        ({"standing": {"asking": Asking(failures=10, cause="ask_failed")}}, Level.DEGRADED,
         "10 attempts in a row have failed, the last with ask_failed"),
        ({"oldest_wait": timedelta(minutes=11)}, Level.DEGRADED, "longest wait in line is 11"),
        ({"world": {"rests": (AgentRest(agent=WRITER, cause="agent_unavailable", since=NOON,
                                        until=NOON + timedelta(minutes=2)),)}},
         Level.DEGRADED, "Agent writer rests until 12:02:00 UTC: agent_unavailable"),
        ({"world": {"rests": (AgentRest(agent=WRITER, cause="ask_failed", since=NOON,
                                        until=NOON + timedelta(seconds=5)),)}},
         Level.NOTE, "Agent writer rests until 12:00:05 UTC: ask_failed"),
        ({"world": {"paused": (("agent:a-writer", NOON),)}}, Level.NOTE, "paused agent writer"),
        ({"world": {"paused": (("all", NOON),)}}, Level.NOTE, "paused everything"),
        ({"dead": 2}, Level.NOTE, "2 deliveries were given up"),
    ],
)  # fmt: skip
def test_each_trouble_is_told_with_a_remedy_and_a_page(facts, level, words) -> None:
    [problem] = told(**facts)

    assert words in problem.text
    assert problem.level is level
    assert problem.remedy
    assert problem.runbook


@pytest.mark.parametrize(
    ("what", "verb"),
    [("all", "--all"), ("agent:a-writer", "--agent writer"),
     ("conversation:a:t", "--conversation a:t")],
)  # fmt: skip
def test_a_pause_says_how_to_end_it(what: str, verb: str) -> None:
    [problem] = told(world={"paused": ((what, NOON),)})

    assert f"dispatcher resume {verb}" in problem.remedy


def test_the_worst_comes_first() -> None:
    found = told(dead=1, standing={"workers": ()}, world={"circuit": CIRCUIT})

    assert [one.level for one in found] == [Level.DOWN, Level.DEGRADED, Level.NOTE]


def test_limits_are_those_of_the_settings() -> None:
    asking = Asking(failures=3, cause="ask_failed")
    assert told(standing={"asking": asking}) == ()
    assert told(standing={"asking": asking}, limits=Limits(failures=3))
    assert told(oldest_wait=timedelta(seconds=30), limits=Limits(wait=timedelta(seconds=30)))


def test_a_circuit_on_trial_is_no_problem_any_more() -> None:
    trial = Circuit(state=CircuitState.TRIAL, cause="x", since=NOON, failures=1, probe_at=NOON)
    assert told(world={"circuit": trial}) == ()


def test_a_worker_that_was_silent_for_a_minute_counts_as_gone() -> None:
    old = Worker(name="h:1", pulse_at=NOON - timedelta(seconds=61), threads=32, version="1")
    assert "No worker" in told(standing={"workers": (old,)})[0].text
    assert told(standing={"workers": (old, *ALIVE)}) == ()


def test_a_silent_runtime_is_told_to_whoever_looks_from_outside() -> None:
    report = Report(at=NOON, version="1", problems=())
    assert runtime_is_silent(Standing(at=NOON, runtimes=1, report=report)) is None
    assert "No runtime lives" in runtime_is_silent(Standing(at=NOON)).text
    assert "told nothing" in runtime_is_silent(Standing(at=NOON, runtimes=1)).text


def test_failures_of_long_ago_say_nothing_of_now() -> None:
    """Nobody may have written since; then nobody answered either."""
    asking = Asking(failures=99, cause="ask_failed", failed_at=NOON - timedelta(minutes=16))
    assert told(standing={"asking": asking}) == ()
