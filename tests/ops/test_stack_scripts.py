"""The scripts of the stack, with a program in Docker's place that writes down how it is called."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from dispatcher.lab.redis_server import free_port

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "ops" / "stack").glob("*.sh"))
DOCKER = """#!/usr/bin/env bash
echo "$DOCKER_BUILDKIT $COMPOSE_DOCKER_CLI_BUILD $DOCKER_UID $*" >> "$SEEN"
case " $* " in
    *" up "*) exit "${UP_ENDS:-0}" ;;
    *" pull "*) exit "${PULL_ENDS:-0}" ;;
    *" build "*) exit "${BUILD_ENDS:-0}" ;;
    *" ps --quiet --status running runtime"*) echo abc ;;
esac
"""


class Shell:
    """A copy of the scripts beside an `.env`, and what they asked Docker for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for source in (*SCRIPTS, ROOT / "docker-compose.runtime.yml"):
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
        (folder / "bin").mkdir()
        docker = folder / "bin" / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        self.env({"HEALTH_PORT": str(free_port()), "OPENCLAW_PORT": str(free_port())})

    def env(self, more: dict[str, str]) -> None:
        facts = {"ACCOUNT_ID": "a", "CONVEX_URL": "http://b", "SERVICE_TOKEN": "c"} | more
        (self.folder / ".env").write_text("".join(f"{k}={v}\n" for k, v in facts.items()))

    def run(
        self, name: str, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        seen = self.folder / "seen"
        seen.unlink(missing_ok=True)
        return subprocess.run(
            [str(self.folder / "ops" / "stack" / f"{name}.sh"), *arguments],
            env={"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "SEEN": str(seen)}
            | environment,
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip

    @property
    def calls(self) -> list[str]:
        return (self.folder / "seen").read_text().splitlines()

    def verbs(self) -> list[str]:
        """The verbs that change something, in order."""
        known = ("pull", "build", "down", "up", "prune", "rm", "kill")
        return [word for call in self.calls for word in call.split() if word in known]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "0 0"), ({"DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}, "1 1"),
     ({"DOCKER_BUILDKIT": "1"}, "1 0")],
)  # fmt: skip
@pytest.mark.parametrize("script", ["up", "upgrade"])
def test_item_178_buildkit_is_off_unless_the_shell_wants_it(shell, script, environment, expected):
    assert shell.run(script, **environment).returncode == 0
    assert all(call.startswith(expected) for call in shell.calls)


@pytest.mark.parametrize("script", ["up", "upgrade"])
def test_item_178_a_profile_is_passed_on(shell: Shell, script: str) -> None:
    done = shell.run(script, PROFILE="openclaw")

    assert done.returncode == 0, done.stderr
    [up] = [call for call in shell.calls if " up " in call]
    assert "--profile openclaw" in up
    assert shell.run(script).returncode == 0
    assert not any("--profile" in call for call in shell.calls)


def test_item_178_an_upgrade_is_pull_build_down_up_in_the_background(shell: Shell) -> None:
    assert shell.run("upgrade").returncode == 0
    assert shell.verbs() == ["pull", "build", "down", "up"]
    assert "--detach" in shell.calls[-1]
    assert not any("--volumes" in call or " -v " in call for call in shell.calls)


def test_a_failed_pull_is_told_and_local_images_are_used(shell: Shell) -> None:
    done = shell.run("upgrade", PULL_ENDS="1")

    assert done.returncode == 0
    assert "The pull failed" in done.stderr
    assert shell.verbs()[-1] == "up"


def test_a_failed_build_leaves_running_what_runs(shell: Shell) -> None:
    done = shell.run("upgrade", BUILD_ENDS="1")

    assert done.returncode == 1
    assert "down" not in shell.verbs()


def test_up_builds_waits_and_says_where_everything_is(shell: Shell) -> None:
    done = shell.run("up", "--scale", "worker=3", PROFILE="openclaw")

    assert "/health" in done.stdout
    assert "Control UI" in done.stdout
    [up] = [call for call in shell.calls if " up " in call]
    for word in ("--build", "--detach", "--wait", "--scale worker=3"):
        assert word in up
    assert shell.verbs() == ["up"]


def test_a_stop_by_a_person_is_no_failure(shell: Shell) -> None:
    for code in ("130", "143"):
        done = shell.run("up", DAEMON="0", UP_ENDS=code)
        assert done.returncode == 0
        assert done.stdout.endswith("Stopped.\n")
        assert shell.verbs() == ["up"]


def test_a_failure_comes_with_hints_and_changes_nothing_more(shell: Shell) -> None:
    done = shell.run("up", UP_ENDS="1")

    assert done.returncode == 1
    assert "ops/stack/logs.sh" in done.stderr
    assert shell.verbs() == ["up"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_prunes_or_becomes_somebody_else(script: Path) -> None:
    text = "\n".join(line for line in script.read_text().splitlines() if not line.startswith("#"))
    assert not re.search(r"\b(sudo|prune|chown)\b", text)


def test_root_never_runs_the_containers_as_root(shell: Shell) -> None:
    shell.run("up")
    owner = "10001" if os.getuid() == 0 else str(os.getuid())
    assert all(call.split()[2] == owner for call in shell.calls if " up " in call)
    shell.env({"DOCKER_UID": '"1234"', "DOCKER_GID": "1234", "HEALTH_PORT": str(free_port())})
    shell.run("up")
    assert all(call.split()[2] == "1234" for call in shell.calls if " up " in call)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=abc", "abc"), ("X = abc  ", "abc"), ("export X=abc", "abc"), ("X='a # b'", "a # b"),
        ('X="a b" # c', "a b"), ("X=1000 # me", "1000"), ("X= # fill in", ""), ("X=a#b", "a#b"),
        ("X=a=b==", "a=b=="), ("X=abc\r", "abc"), ("XY=abc", ""), ("# X=abc", ""), ("X=", ""),
        ("X=old\nX=new", "new"), ("X=last line without an end", "last line without an end"),
    ],
)  # fmt: skip
def test_the_env_file_is_read_as_compose_reads_it(shell: Shell, line: str, value: str) -> None:
    (shell.folder / ".env").write_bytes(line.encode())
    common = shell.folder / "ops" / "stack" / "common.sh"
    done = subprocess.run(
        ["bash", "-c", f'. {common}; from_env_file X'], capture_output=True, text=True, timeout=10
    )  # fmt: skip
    assert done.stdout == value, done.stderr


def test_a_token_in_a_file_of_its_own_is_no_missing_one(shell: Shell) -> None:
    shell.env({"SERVICE_TOKEN": "", "SERVICE_TOKEN_FILE": "/run/secrets/token"})

    assert "not set in .env" not in shell.run("up").stderr


def test_a_token_of_the_shell_does_not_count(shell: Shell) -> None:
    """The containers would not see it."""
    shell.env({"SERVICE_TOKEN": ""})
    done = shell.run("up", SERVICE_TOKEN="mc_service_of_the_shell")

    assert done.returncode == 1
    assert "SERVICE_TOKEN" in done.stderr


def test_a_gateway_that_nobody_would_reach_is_told(shell: Shell) -> None:
    done = shell.run("up", PROFILE="openclaw")
    for text in ("OPENCLAW_GATEWAY_TOKEN is empty", "OPENCLAW_GATEWAY_URL is not set", "no key"):
        assert text in done.stdout
