"""`dispatcher worker` with several processes: every signal reaches every child, once."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.cli.common import Exit
from dispatcher.settings import Settings
from tests.fakes.environment import read_with
from tests.waiting import until

# Its package has the command under the same name.
worker = importlib.import_module("dispatcher.cli.worker")

# Notes each SIGTERM; ends with the first one, or with the second when it was told to.
_CHILD = """
import signal, sys, time
heard = []
def hear(*_):
    heard.append(1)
    with open(sys.argv[1], "a") as file:
        file.write("x")
signal.signal(signal.SIGTERM, hear)
open(sys.argv[1], "a").close()
while len(heard) < int(sys.argv[2]):
    time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


def child(note: Path, signals: int) -> subprocess.Popen[bytes]:
    started = subprocess.Popen([sys.executable, "-c", _CHILD, str(note), str(signals)])
    until(note.exists)
    return started


def test_a_signal_while_a_child_is_being_started_reaches_that_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: Settings, number: int) -> subprocess.Popen[bytes]:
        started = child(tmp_path / str(number), signals=1)
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return started

    monkeypatch.setattr(worker, "_start", start)

    code = worker._keep_running(read_with(WORKER_PROCESSES="3", UPGRADE_MODE="parent"))

    assert code == Exit.OK
    heard = {note.name: note.read_text() for note in tmp_path.iterdir()}
    assert heard == {"0": "x", "1": "x"}, "no third one is started, and nobody is hurried"


def test_the_second_signal_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: Settings, number: int) -> subprocess.Popen[bytes]:
        started = child(tmp_path / str(number), signals=2)
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            after = f"import os, time; time.sleep(1.5); os.kill({os.getpid()}, {signal.SIGTERM:d})"
            helpers.append(subprocess.Popen([sys.executable, "-c", after]))
        return started

    helpers: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(worker, "_start", start)

    worker._keep_running(read_with(WORKER_PROCESSES="2", UPGRADE_MODE="parent"))

    assert [one.wait(10) for one in helpers] == [0]
    assert {note.read_text() for note in tmp_path.iterdir()} == {"xx"}
