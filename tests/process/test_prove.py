"""`dispatcher prove` as an operator uses it: real processes, killed and frozen for real."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.lab.proof.verdict import PROMISES
from tests.process.facts import processes_of
from tests.waiting import until

pytestmark = pytest.mark.process

PROVE = [sys.executable, "-m", "dispatcher", "prove"]
SEED = 7


def start_prove(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROVE, *arguments],
        cwd=folder,
        env=dict(os.environ) | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(360)
def test_two_minutes_of_killing_break_no_promise(tmp_path: Path) -> None:
    running = start_prove(tmp_path, "--minutes", "2", "--seed", str(SEED), "--json")

    out, err = running.communicate(timeout=340)

    assert running.returncode == 0, out + err
    certificate = json.loads(out)
    assert certificate["kept"]
    assert certificate["promises"] == dict.fromkeys(PROMISES, 0)
    faults = certificate["faults"]
    assert faults["worker_killed"] + faults["runtime_killed"] == 22
    assert {"worker_frozen", "runtime_frozen", "redis_killed", "gateway_away"} <= set(faults)
    assert certificate["counted_apart"]["tools_done"] > 0
    assert certificate["recovery_s"]["all"]["p99"] <= 30
    assert processes_of(tmp_path) == []
    assert list(tmp_path.glob("dispatcher-prove-*")) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_command_however_it_ends(
    tmp_path: Path, signum: signal.Signals
) -> None:
    running = start_prove(tmp_path, "--minutes", "0.5", "--seed", "1")
    until(lambda: len(processes_of(tmp_path)), lambda count: count > 6, seconds=30)

    running.send_signal(signum)
    running.communicate(timeout=60)

    assert running.returncode not in {0, None}
    until(lambda: processes_of(tmp_path), lambda left: left == [], seconds=60)


def test_the_help_says_what_it_does_and_what_its_exit_code_means() -> None:
    shown = subprocess.run([*PROVE, "--help"], capture_output=True, text=True, timeout=30)

    assert shown.returncode == 0
    assert "  dispatcher prove --kills 200 --seed 1\n" in shown.stdout
    assert "Exit code 1 means that a promise was broken" in " ".join(shown.stdout.split())
