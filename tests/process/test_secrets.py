"""Secrets stay where they belong: whole runs with marked ones at debug level, then a search everywhere."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from dispatcher.adapters.clock import MachineClock
from dispatcher.lab.proof import stage as proof_stage
from dispatcher.lab.proof.performance import perform
from dispatcher.lab.proof.plan import Options, choose
from dispatcher.lab.redis_server import free_port
from dispatcher.lab.stack import Stack
from tests.process.facts import QUICK, asks, rows_for_agents
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

MARKED = {
    "CONSOLE_TOKEN": "MARKED-console-0123456789abcdef",
    "TURN_TOKEN_KEY": "MARKED-signing-0123456789abcdef",
    "OPENCLAW_GATEWAY_TOKEN": "MARKED-gateway-0123456789abcdef",
    "AI_GATEWAY_API_KEY": "MARKED-models-0123456789abcdef",
}
SERVICE_TOKEN = re.compile(rb"mc_service_[a-z0-9]+_[^\s*\"'\\]{8,}")
SESSION_KEY = re.compile(rb"(?:task|system):[a-z0-9-]{20,}:agent:")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack in which everything that can go wrong with a message has gone wrong."""
    folder = tmp_path_factory.mktemp("secrets")
    running = Stack(
        folder,
        settings=QUICK | MARKED | {"LOG_LEVEL": "debug", "OPENCLAW_CLIENT_TOOLS_ENABLED": "false"},
        sandbox_arguments=("--delay", "0.1"),
    ).start()
    task = running.human("create_task", title="Quiet")
    for text in ("hello", "[[error:500]]", "[[error:429]]", "[[reset]] [[times:1]]"):
        running.human("post_message", task=task, content=f"@engineer {text}")
    until(lambda: len(rows_for_agents(running)) == 4)
    until(lambda: len(asks(running)) >= 6, seconds=30)
    for answer in (
        httpx.post(f"{running.url}/wake", headers={"Authorization": "Bearer wrong"}),
        httpx.post(f"{running.url}/sign-in", data={"token": MARKED["CONSOLE_TOKEN"]}),
        httpx.post(f"{running.url}/agent/task-load", headers={"x-openclaw-session-key": "x"}),
    ):
        assert answer.status_code < 500
    yield running
    running.stop()


def secrets_of(stack: Stack) -> list[bytes]:
    return [
        *(value.encode() for value in MARKED.values()),
        stack.settings["SERVICE_TOKEN"].encode(),
    ]


def holds(text: bytes, stack: Stack) -> list[bytes]:
    secret_half = stack.settings["SERVICE_TOKEN"].rpartition("_")[2].encode()
    return [one for one in (*secrets_of(stack), secret_half) if one in text]


def files_of(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_no_file_holds_a_secret(stack: Stack) -> None:
    """Logs of all processes, and what Redis has written."""
    found = {path.name: content for path, content in files_of(stack._folder)}

    assert {"runtime.log", "worker1.log"} <= set(found)
    assert b'"level": "debug"' in found["runtime.log"] + found["worker1.log"]
    assert {name: held for name, content in found.items() if (held := holds(content, stack))} == {}
    for name in ("runtime.log", "worker1.log"):
        assert SESSION_KEY.search(found[name]) is None


def test_redis_holds_no_secret(stack: Stack) -> None:
    client = redis.Redis.from_url(stack.settings["REDIS_URL"])
    keys = list(client.scan_iter())
    dump = b"\n".join(key + b"=" + (client.dump(key) or b"") for key in keys)
    plain = b"\n".join(_values(client, key) for key in keys)
    commands = json.dumps([str(one) for one in client.slowlog_get(500)]).encode()
    client.close()

    assert len(keys) > 10
    assert holds(dump + plain + commands, stack) == []


def _values(client: redis.Redis, key: bytes) -> bytes:
    read: dict[bytes, Any] = {
        b"string": client.get, b"hash": client.hgetall, b"set": client.smembers,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
    }  # fmt: skip
    # A key may be gone by now.
    return repr(read.get(client.type(key), lambda _: None)(key)).encode()


PAGES = ("/", "/conversations", "/agents", "/dead-letters", "/search?q=engineer", "/sign-in",
         "/health", "/readyz", "/version", "/metrics", "/threads", "/nothing")  # fmt: skip


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_no_page_holds_a_secret(stack: Stack, accept: str) -> None:
    """Neither a stranger nor an operator gets to see one, in bodies or in headers."""
    bearer = {"Authorization": f"Bearer {MARKED['CONSOLE_TOKEN']}"}
    for path in PAGES:
        for headers in ({}, bearer):
            answer = httpx.get(
                f"{stack.url}{path}", headers={"Accept": accept, **headers}, trust_env=False
            )
            assert holds(answer.content + repr(answer.headers).encode(), stack) == [], path
    answer = httpx.get(stack.worker_metrics_url(0), trust_env=False)
    assert holds(answer.content, stack) == []


def test_no_command_line_holds_a_secret(stack: Stack) -> None:
    lines = [" ".join(one.cmdline()) for one in psutil.Process().children(recursive=True)]

    assert any("dramatiq" in line for line in lines)
    assert holds("\n".join(lines).encode(), stack) == []


def test_the_gateway_is_told_its_own_token_and_no_other_secret(stack: Stack) -> None:
    """What the gateway has written down of every ask."""
    told = json.dumps(stack.asks()).encode()

    others = [one for one in holds(told, stack) if one != MARKED["OPENCLAW_GATEWAY_TOKEN"].encode()]
    assert others == []
    assert b"Notification ID" in told


def test_the_demo_prints_no_secret() -> None:
    """The token to sign in with is printed by `dev` on purpose, but not with --once."""
    environment = {**os.environ, **MARKED, "LOG_LEVEL": "debug"}
    done = subprocess.run(
        [sys.executable, "-m", "dispatcher", "dev", "--port", str(free_port()),
         "--once", "@engineer hello"],
        env=environment, capture_output=True, timeout=90, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert [one for one in MARKED.values() if one.encode() in said] == []
    assert SERVICE_TOKEN.search(said) is None


def test_a_proof_leaves_no_secret_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is broken on purpose, at debug level: logs, evidence and Redis are searched."""
    marked = {"LOG_LEVEL": ("debug", "searched"), **{k: (v, "marked") for k, v in MARKED.items()}}
    monkeypatch.setattr(proof_stage, "SETTINGS", proof_stage.SETTINGS | marked)
    options: Options = choose(seed=5, minutes=0.4, kills=4, workers=2, flushes=False)

    perform(options, tmp_path, MachineClock(), lambda _: None)

    texts = dict(files_of(tmp_path))
    assert len(texts) > 5
    assert any(b'"level": "debug"' in content for content in texts.values())
    for path, content in texts.items():
        assert [one for one in MARKED.values() if one.encode() in content] == [], path
        assert SERVICE_TOKEN.search(content) is None, path
