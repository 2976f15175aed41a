"""The whole stack on a real engine, from a copy of the repository with an `.env` of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from dispatcher.lab.redis_server import free_port
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "console-token-of-the-containers"
PROJECT = "mission-control-tests"


def run(*command: str, cwd: Path, check: bool = True, timeout: float = 600,
        **environment: str) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a command; its whole output is shown when it should not have failed."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=timeout,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root")} | environment,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done


class Sandbox:
    """The stand-in backend and gateway as a process of this machine."""

    def __init__(self, *, delay: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dispatcher.sandbox", "--delay", str(delay)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.facts: dict[str, Any] = json.loads(self._process.stdout.readline())

    def port(self, part: str) -> int:
        return int(self.facts[part].rpartition(":")[2])

    def human(self, operation: str, **arguments: Any) -> Any:
        body = {"account": self.facts["accountId"], **arguments}
        answer = httpx.post(f"{self.facts['backend']}/human/{operation}", json=body, timeout=30)
        assert answer.is_success, answer.text
        return answer.json()

    def say(self, text: str, task: str | None = None) -> None:
        self.human("post_message", task=task or self.facts["taskId"], content=text)

    def ledger(self) -> dict[str, Any]:
        url = f"{self.facts['backend']}/human/ledger"
        found: dict[str, Any] = httpx.get(url, params={"account": self.facts["accountId"]}).json()
        return found

    def asks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.facts['gateway']}/sandbox/ledger").json()
        return found

    def replies(self) -> list[dict[str, Any]]:
        agents = set(self.facts["agents"].values())
        return [one for one in self.ledger()["messages"] if one["authorId"] in agents]

    def undelivered(self) -> list[str]:
        agents = set(self.facts["agents"].values())
        return [
            row["_id"] for row in self.ledger()["notifications"]
            if row["recipientId"] in agents and "deliveredAt" not in row
        ]  # fmt: skip

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._process.stdout.close()


class Project:
    """A copy of the repository, and the containers that its scripts start."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        copy_repository(folder)
        self.write_env()

    def write_env(self, **changes: str) -> None:
        self.settings |= changes
        lines = [f"{name}={value}\n" for name, value in self.settings.items()]
        (self.folder / ".env").write_text("".join(lines))

    def script(self, name: str, *arguments: str, check: bool = True,
               **environment: str) -> subprocess.CompletedProcess[str]:  # fmt: skip
        return run(
            f"ops/stack/{name}.sh", *arguments, cwd=self.folder, check=check,
            **({"COMPOSE_PROJECT_NAME": PROJECT, "BUILD": "0"} | environment),
        )  # fmt: skip

    def compose(self, *arguments: str, check: bool = True) -> str:
        done = run(
            "docker", "compose", "-f", "docker-compose.runtime.yml",
            "--profile", "openclaw", "--profile", "observability", *arguments,
            cwd=self.folder, check=check, COMPOSE_PROJECT_NAME=PROJECT,
        )  # fmt: skip
        return done.stdout

    def up(self, *arguments: str, **environment: str) -> None:
        self.script("up", *arguments, **environment)

    def down(self) -> None:
        self.compose("down", "--remove-orphans", "--timeout", "20")

    def ids(self, service: str) -> list[str]:
        return self.compose("ps", "--quiet", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            run("docker", "inspect", container, cwd=self.folder).stdout
        )[0]
        return found

    def exec(self, service: str, *command: str) -> str:
        return self.compose("exec", "-T", service, *command)

    def kill(self, container: str) -> None:
        """Kill a container's main process on the host, as a crash would."""
        os.kill(int(self.inspect(container)["State"]["Pid"]), 9)

    def await_healthy(self, service: str, *, count: int = 1, seconds: float = 90) -> None:
        def healthy() -> int:
            states = [self.inspect(one)["State"] for one in self.ids(service)]
            return sum(
                one["Running"] and one.get("Health", {}).get("Status") == "healthy"
                for one in states
            )

        until(healthy, lambda found: found == count, seconds=seconds)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['HEALTH_PORT']}"

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/health", timeout=5).json()
        return found


def copy_repository(folder: Path) -> None:
    """Copy what git knows of, as somebody who cloned it has it."""
    folder.mkdir(parents=True, exist_ok=True)
    names = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).stdout.splitlines()
    for name in names:
        source = ROOT / name
        if source.is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def settings_for(sandbox: Sandbox, backend: int, gateway: int, address: str) -> dict[str, str]:
    """The settings of a stack that works on the sandbox."""
    return {
        "ACCOUNT_ID": sandbox.facts["accountId"],
        "CONVEX_URL": f"http://{address}:{backend}",
        "SERVICE_TOKEN": sandbox.facts["serviceToken"],
        "OPENCLAW_GATEWAY_URL": f"http://{address}:{gateway}",
        "OPENCLAW_GATEWAY_TOKEN": "token-of-the-gateway",
        "CONSOLE_TOKEN": TOKEN,
        "HEALTH_PORT": str(free_port()),
        "PROMETHEUS_PORT": str(free_port()),
        "OPENCLAW_PORT": str(free_port()),
        "HEARTBEATS": "false",
        "DELIVERY_INTERVAL": "1000",
        "DELIVERY_MAX_CONCURRENT_PER_AGENT": "10",
        "DELIVERY_BACKOFF_BASE_MS": "1000",
        "WORKER_THREADS": "8",
        "DRAIN_TIMEOUT_MS": "20000",
        "WORKER_STOP_GRACE": "40s",
    }


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s")


def assert_answered_once_and_in_order(sandbox: Sandbox) -> None:
    """Each message has one answer of its agent, and no session had two turns at once."""
    rows = {row["_id"]: row for row in sandbox.ledger()["notifications"]}
    keys = [one["sourceNotificationId"] for one in sandbox.replies()
            if one.get("sourceNotificationId")]  # fmt: skip
    assert len(keys) == len(set(keys)), "an answer stands twice in a thread"
    mentions = {name for name, row in rows.items() if row["type"] == "mention"}
    assert mentions <= set(keys), f"unanswered: {mentions - set(keys)}"
    ends: dict[str, float] = {}
    for ask in sorted(sandbox.asks(), key=lambda one: one["received_at"]):
        session = ask["session_key"]
        assert ask["received_at"] >= ends.get(session, 0.0), "two turns of a session at once"
        ends[session] = ask["ended_at"] or float("inf")
