"""`dispatcher dev` as a person uses it."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.lab.redis_server import free_port
from tests.process.facts import processes_of
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

DEV = [sys.executable, "-m", "dispatcher", "dev"]
DEFAULT_PORT = ()


def start_dev(
    folder: Path, *arguments: str, at: tuple[str, ...] | None = None, **variables: str
) -> subprocess.Popen[str]:
    """Start it on a port that nobody else wants, unless it is said where."""
    arguments += ("--port", str(free_port())) if at is None else at
    environment = dict(os.environ) | {"TMPDIR": str(folder)} | variables
    return subprocess.Popen(
        [*DEV, *arguments],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_once_prints_each_step_and_the_reply(tmp_path: Path) -> None:
    dev = start_dev(tmp_path, "--once", "@engineer hello")
    output, _ = dev.communicate(timeout=60)

    assert dev.returncode == 0, output
    steps = ("Alex: @engineer hello", "notifies engineer", "is typing", "gateway runs",
             "engineer: Done: engineer hello", "marked delivered")  # fmt: skip
    positions = [output.index(step) for step in steps]
    assert positions == sorted(positions)
    assert processes_of(tmp_path) == []


def test_once_says_where_it_stuck(tmp_path: Path) -> None:
    dev = start_dev(tmp_path, "--once", "@engineer [[hang]]", "--wait", "15")
    output, _ = dev.communicate(timeout=60)

    assert dev.returncode == 1
    assert "No reply came. The last step was: the gateway runs engineer's turn" in output
    assert "Traceback" not in output


def test_a_gateway_that_is_away_is_named(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        dev = start_dev(tmp_path, "--once", "@engineer hi", OPENCLAW_GATEWAY_URL=url)
        output, _ = dev.communicate(timeout=90)

    assert dev.returncode == 1
    assert "The gateway cannot be reached" in output
    assert "Traceback" not in output


def test_ctrl_c_stops_everything_and_leaves_no_process(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 3001))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which serves as well
        dev = start_dev(tmp_path, at=DEFAULT_PORT)
        assert dev.stdout is not None
        lines = []
        for line in dev.stdout:
            lines.append(line)
            if "Ctrl-C stops everything" in line:
                break
        output = "".join(lines)

        assert "Port 3001 is in use by another program" in output
        assert re.search(r"Console\s+http://127\.0\.0\.1:\d+/", output)
        assert "engineer: Done" in output
        assert len(processes_of(tmp_path)) >= 5

        dev.send_signal(signal.SIGINT)
        dev.communicate(timeout=40)

    assert dev.returncode == 0
    assert processes_of(tmp_path) == []


def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    dev = start_dev(tmp_path)
    assert dev.stdout is not None
    for line in dev.stdout:
        if "Ctrl-C stops everything" in line:
            break

    dev.kill()
    dev.communicate()

    until(lambda: processes_of(tmp_path), lambda left: not left, seconds=30)


def test_a_port_that_was_asked_for_is_not_replaced(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        dev = start_dev(tmp_path, at=("--port", str(port)))
        output, _ = dev.communicate(timeout=20)

    assert dev.returncode == 1
    assert f"Port {port} is in use" in output


def test_the_version_is_printed_without_settings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dispatcher", "--version"]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)

    assert output.returncode == 0
    assert re.fullmatch(r"dispatcher, version \d+\.\d+\.\d+\n", output.stdout)
