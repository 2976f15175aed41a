"""`dispatcher status --watch` on a real terminal: drawn anew, and ended by Ctrl-C."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.cli.conftest import Shell
from tests.house import House


@pytest.fixture
def terminal(house: House, shell: Shell):
    """The verb in a terminal of its own; gives its process and what it has drawn so far."""
    here, there = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dispatcher", "status", "--watch", "0.3"],
        stdin=there, stdout=there, stderr=there, env=environment | shell.settings,
        start_new_session=True,
    )  # fmt: skip
    os.close(there)
    yield process, here
    process.kill()
    process.wait()
    os.close(here)


def read_until(terminal: int, words: str, *, seconds: float = 20) -> str:
    drawn, deadline = "", time.monotonic() + seconds
    while words not in drawn:
        assert time.monotonic() < deadline, drawn[-2000:]
        drawn += os.read(terminal, 65536).decode(errors="replace")
    return drawn


def drain(terminal: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass


def test_it_is_drawn_anew_and_ended_in_peace(house: House, terminal) -> None:
    process, screen = terminal
    house.live()
    assert "\x1b[" in read_until(screen, "Running: 0 of 2")

    house.run("engineer")

    read_until(screen, "Running: 1 of 2")
    process.send_signal(signal.SIGINT)
    # It says good-bye to its screen: whoever does not read that would keep it waiting.
    threading.Thread(target=drain, args=(screen,), daemon=True).start()
    assert process.wait(20) == 0
