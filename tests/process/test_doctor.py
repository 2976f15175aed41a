"""`dispatcher doctor` tells whether everything is there, and what to do about what is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.lab.redis_server import free_port

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def doctor(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dispatcher", "doctor"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_is_well_when_everything_is_there(start_stack, tmp_path: Path) -> None:
    stack = start_stack()

    found = doctor(tmp_path, stack.settings)

    assert found.returncode == 0, found.stdout + found.stderr
    assert [line.split()[:2] for line in found.stdout.splitlines()] == [
        ["ok", "settings"],
        ["ok", "redis"],
        ["ok", "convex"],
        ["ok", "gateway"],
    ]


def test_each_thing_that_is_wrong_is_named_with_advice(start_stack, tmp_path: Path) -> None:
    stack = start_stack()
    stack.human("rotate_token", secret="another")
    away = {
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "OPENCLAW_GATEWAY_URL": f"http://127.0.0.1:{free_port()}",
    }

    found = doctor(tmp_path, stack.settings | away)

    assert found.returncode == 1
    assert "FAIL redis" in found.stdout
    assert "Is REDIS_URL right" in found.stdout
    assert "FAIL convex" in found.stdout
    assert "Generate a service token" in found.stdout
    assert "FAIL gateway" in found.stdout
    assert "Is it running" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr
    assert stack.settings["SERVICE_TOKEN"] not in found.stdout + found.stderr


def test_missing_settings_are_all_told_at_once(tmp_path: Path) -> None:
    found = doctor(tmp_path, {"CONVEX_URL": "ftp://x", "SERVICE_TOKENS": "typo"})

    assert found.returncode == 78
    for part in ("ACCOUNT_ID is not set", "CONVEX_URL is not a URL", "SERVICE_TOKEN is not set"):
        assert part in found.stderr
    assert "is SERVICE_TOKEN meant?" in found.stderr
