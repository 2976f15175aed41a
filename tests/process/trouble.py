"""What the tests of trouble share: making it, watching it, and what must hold afterwards."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import redis

from dispatcher.lab.redis_server import RedisServer
from dispatcher.lab.stack import Stack
from tests.process.facts import asks, rows_for_agents
from tests.waiting import until

HANGS_S = 30.0
"""How long a look at our own HTTP side may take while something behind it hangs."""


def start_on_a_kept_redis(start_stack: Callable[..., Stack], folder: Path, **options: Any) -> Stack:
    """Start a stack on a Redis with an append-only file; the stack stops it like its own."""
    server = RedisServer(folder / "kept", append_only=True).start()
    try:
        stack = start_stack(REDIS_URL=server.url, ALLOW_VOLATILE_REDIS="false", **options)
    except BaseException:
        server.kill()
        raise
    stack.redis = server
    return stack


def make_tasks(stack: Stack, count: int) -> list[str]:
    """Make so many tasks: each is a conversation of its own with every agent."""
    return [stack.human("create_task", title=f"Task {number}") for number in range(count)]


def mention(stack: Stack, task: str, text: str = "@engineer hello") -> None:
    """Let a person write into a thread."""
    stack.human("post_message", task=task, content=text)


def break_backend(stack: Stack, **fault: Any) -> None:
    """Let calls of the backend fail; see the sandbox's faults."""
    httpx.post(f"{stack.sandbox['backend']}/human/faults", json=fault).raise_for_status()


def mend_backend(stack: Stack) -> None:
    """Forget all faults of the backend."""
    httpx.delete(f"{stack.sandbox['backend']}/human/faults").raise_for_status()


def set_rules(stack: Stack, *rules: dict[str, Any]) -> None:
    """Tell the scripted gateway how to play the next asks."""
    url = f"{stack.sandbox['gateway']}/sandbox/rules"
    httpx.post(url, json=list(rules)).raise_for_status()


def wake(stack: Stack) -> None:
    """Let the runtime look at the backend at once."""
    headers = {"Authorization": f"Bearer {stack.settings['CONSOLE_TOKEN']}"}
    assert httpx.post(f"{stack.url}/wake", headers=headers).status_code == 204


class Store:
    """The keys of a stack's account, for tests that look into them or spoil them."""

    def __init__(self, stack: Stack) -> None:
        self.client = redis.Redis.from_url(stack.settings["REDIS_URL"], decode_responses=True)
        self._prefix = f"mission-control:{{{stack.settings['ACCOUNT_ID']}}}:"

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def key(self, kind: str, name: str = "") -> str:
        """Name a key of the account."""
        return f"{self._prefix}{kind}:{name}" if name else f"{self._prefix}{kind}"

    def end_rests(self) -> None:
        """Make all rests end now: no test wants to wait for them."""
        for conversation in self.client.zrange(self.key("resting"), 0, -1):
            head = self.client.hget(self.key("mailbox", conversation), "pinned")
            if head is None:
                head = self.client.zrange(self.key("mail", conversation), 0, 0)[0].partition("|")[2]
            self.client.hset(self.key("delivery", head), "due", 1)
            self.client.zadd(self.key("resting"), {conversation: 1}, xx=True)


def delivery_of(row: dict[str, Any]) -> str:
    """Name the delivery of a row's message."""
    return f"{row['_id']}:{row.get('messageId', '-')}"


def conversation_of(row: dict[str, Any]) -> str:
    """Name the conversation of a row."""
    return f"{row['recipientId']}:{row.get('taskId', '-')}"


def running(stack: Stack, agent: str = "engineer") -> list[dict[str, Any]]:
    """The asks of one agent that run now."""
    return [ask for ask in asks(stack, agent) if ask["outcome"] == "running"]


def asks_by_row(stack: Stack, agent: str = "engineer") -> Counter[str]:
    """How often the gateway was asked for each row of an agent."""
    rows = [row["_id"] for row in rows_for_agents(stack, agent)]
    texts = [ask["input_text"] for ask in asks(stack, agent)]
    return Counter(row for row in rows for text in texts if row in text)


def answered_rows(stack: Stack, agent: str = "engineer") -> set[str]:
    """The rows that have a reply in their thread."""
    rows = {row["_id"] for row in rows_for_agents(stack, agent)}
    messages = stack.ledger()["messages"]
    return rows & {message.get("sourceNotificationId") for message in messages}


def problems(stack: Stack) -> list[str]:
    """What the runtime says keeps it from being ready; both of its reports agree on it."""
    answer = httpx.get(f"{stack.url}/readyz", timeout=HANGS_S)
    found: list[str] = answer.json()["problems"]
    assert answer.status_code == (503 if found else 200)
    return found


def throughout(seconds: float, holds: Callable[[], object]) -> None:
    """Let time pass while something holds; fail as soon as it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = holds()
        assert found, f"held no longer: {found!r}"
        time.sleep(0.1)


def assert_nobody_ended(stack: Stack) -> None:
    """All processes that were started still run."""
    ours = (stack.runtime, *stack.workers, *stack.standbys)
    assert [child.exit_code for child in ours if child] == [None] * len(ours)


def logs(stack: Stack) -> list[str]:
    """What our processes have logged so far."""
    ours = (stack.runtime, *stack.workers, *stack.standbys)
    return [child.log.read_text() for child in ours if child]


def assert_no_secret_is_told(stack: Stack) -> None:
    """No log has a token or a session key."""
    secrets = [stack.settings["SERVICE_TOKEN"], stack.settings["CONSOLE_TOKEN"]]
    secrets += [ask["session_key"].split(":", 2)[2] for ask in stack.asks() if ask["session_key"]]
    told = logs(stack)
    assert not [secret for secret in secrets if any(secret in log for log in told)]


def assert_no_traceback(stack: Stack) -> None:
    """No log has a traceback."""
    lines = [line for log in logs(stack) for line in log.splitlines()]
    found = [line for line in lines if "Traceback" in line]
    assert not found, found[0].replace("\\n", "\n")


def end_quickly(stack: Stack) -> None:
    """Kill our processes: nothing more is asked of them, and a clean stop takes seconds."""
    for child in (stack.runtime, *stack.workers, *stack.standbys):
        if child:
            child.kill()


def await_empty_store(stack: Stack, *, seconds: float = 20) -> None:
    """Wait until no delivery waits, runs or rests, and none died."""

    def left() -> dict[str, Any]:
        found = stack.health()["store"]
        return {name: found.get(name) for name in ("open", "inFlight", "resting", "dead")}

    until(left, lambda found: not any(found.values()), seconds=seconds)


def await_recovered(stack: Stack, *, seconds: float = 30) -> None:
    """Wait until all is well again, and make sure that no process ended and no secret leaked."""
    until(lambda: problems(stack), lambda found: not found, seconds=seconds)
    assert_nobody_ended(stack)
    assert_no_secret_is_told(stack)
