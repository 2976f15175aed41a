"""The benchmark measures a real stack, ends by itself, and ends whole when somebody wants no more."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dispatcher.adapters.clock import MachineClock
from dispatcher.lab.bench.cases import Case
from dispatcher.lab.bench.run import Interrupted, run_case
from dispatcher.lab.bench.stage import Stage
from dispatcher.lab.redis_server import RedisServer
from dispatcher.lab.stack import StackFailed
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

SMALL = Case(
    name="small", notifications=20, conversations=5, run_s=0.1, stored=10, hanging=1, fails_every=0
)


def measured(case: Case, folder: Path) -> dict[str, float]:
    result = run_case(case, folder, MachineClock(), lambda _: None)
    assert not result["is_partial"]
    return result["facts"]


def test_a_small_case_is_measured_whole(tmp_path: Path) -> None:
    """Some wait in the store already, and one conversation hangs: the others are all answered."""
    facts = measured(SMALL, tmp_path)

    assert facts["replied_twice"] == facts["overlaps"] == facts["unanswered"] == 0
    assert 20 <= facts["deliveries"] <= 30, (
        "the stored ones may be done before the measuring begins"
    )
    assert facts["wait_p99_s"] >= facts["wait_p50_s"] >= SMALL.run_s
    assert facts["most_running"] <= 10
    assert facts["cpu_ms"] == pytest.approx(
        facts["cpu_runtime_ms"] + facts["cpu_worker_ms"] + facts["cpu_redis_ms"], abs=0.01
    )
    assert 20 < facts["rss_runtime_mib"] < 200
    assert facts["convex_calls"] >= 4
    assert facts["redis_scripts"] >= 3
    assert facts["speed"] > 0


def test_an_idle_stack_is_measured_too(tmp_path: Path) -> None:
    facts = measured(Case(name="idle", seconds=2, settings={"DELIVERY_INTERVAL": "1000"}), tmp_path)

    assert facts["deliveries"] == 0
    assert facts["core_percent"] < 100
    assert facts["redis_commands_per_s"] > 0


def test_what_fails_is_tried_again_until_everything_is_answered(tmp_path: Path) -> None:
    case = Case(
        name="flaky", notifications=6, conversations=6, run_s=0.0, fails_every=4,
        settings={"DELIVERY_BACKOFF_BASE_MS": "1000"},
    )  # fmt: skip

    assert measured(case, tmp_path)["deliveries"] == 6


def test_ctrl_c_stops_everything_and_prints_what_there_is(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    bench = subprocess.Popen(
        [sys.executable, "-m", "dispatcher", "bench", "trickle", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert bench.stderr is not None
        until(lambda: re.search(r"[1-9]\d* of \d+ delivered", bench.stderr.readline()), seconds=60)
        ours = psutil.Process(bench.pid).children(recursive=True)
        assert len(ours) >= 4, "Redis, stand-in, runtime and worker"

        bench.send_signal(signal.SIGINT)
        out, errors = bench.communicate(timeout=60)
    finally:
        bench.kill()
        bench.wait()

    found = json.loads(out)
    assert found["is_partial"]
    assert found["cases"][0]["is_partial"]
    assert 0 < found["cases"][0]["facts"]["deliveries"] < 60
    assert all(one["is_kept"] is None for one in found["budgets"])
    assert "Interrupted" in errors
    assert bench.returncode == 1
    until(lambda: not any(one.is_running() for one in ours), seconds=10)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_everything_is_stopped_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured is whole, and all that runs is stopped all the same."""
    stop = RedisServer.stop
    hits = iter([True])

    def interrupted(server: RedisServer) -> None:
        if next(hits, False):
            raise KeyboardInterrupt
        stop(server)

    before = psutil.Process().children()
    monkeypatch.setattr(RedisServer, "stop", interrupted)

    with pytest.raises(Interrupted) as caught:
        run_case(SMALL, tmp_path, MachineClock(), lambda _: None)

    assert not caught.value.result["is_partial"]
    assert caught.value.result["facts"]["deliveries"] >= SMALL.notifications
    assert [one for one in psutil.Process().children() if one not in before] == []


def test_a_part_that_does_not_come_up_is_told_and_the_rest_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port may be taken between the moment that it was free and the moment that it is used."""
    before = psutil.Process().children()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr("dispatcher.lab.stack.free_port", lambda: taken.getsockname()[1])

        with pytest.raises(StackFailed, match=r"in use"):
            Stage(tmp_path, SMALL, MachineClock()).start()

    assert [one for one in psutil.Process().children() if one not in before] == []
