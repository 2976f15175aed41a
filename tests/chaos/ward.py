"""Where workers die and others take over: a stack, its dying workers, and what is found after."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import redis

from dispatcher.adapters.bell import QUEUE
from dispatcher.lab.children import Child
from dispatcher.lab.redis_server import free_port
from dispatcher.lab.stack import Stack
from tests.chaos.dying_worker import DIES
from tests.waiting import until

ROOT: Final = Path(__file__).parents[2]
_DRAMATIQ: Final = (
    "dramatiq", "tests.chaos.dying_worker:boot", "--processes", "1", "--threads", "4",
    "--queues", QUEUE, "--worker-shutdown-timeout", "5000", "--skip-logging",
)  # fmt: skip


class Ward:
    """A stack whose workers die one by one.

    Attributes:
        stack: Without workers of its own.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self._folder = folder
        self._dead = 0

    def conversation(self, *, listens: bool = False) -> "Conversation":
        """Open a thread; with ``listens`` the engineer has been mentioned there and has answered."""
        found = Conversation(self.stack, self.stack.human("create_task", title="Fix build"))
        if listens:
            found.say("@engineer welcome")
            with self.healthy_worker():
                found.await_answers(1)
        return found

    def dying_worker(self, moment: str, step: str, times: int = 1) -> Child:
        """Start a worker that kills itself before or after a step, the n-th time it takes it."""
        self._dead += 1
        settings = self.stack.settings | {
            "METRICS_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
            "dramatiq_queue_prefetch": "4",
            DIES: json.dumps([moment, step, times]),
        }
        worker = Child(f"dying{self._dead}", _DRAMATIQ, folder=self._folder, settings=settings)
        # Whatever becomes of it, the stack ends it.
        self.stack.workers.append(worker.start())
        return worker

    def await_death(self, worker: Child) -> None:
        """Wait until a dying worker has killed itself, and nothing else ended it."""
        code = until(lambda: worker.exit_code, lambda code: code is not None, seconds=30)
        assert code == -signal.SIGKILL, worker.log_tail()

    @contextmanager
    def healthy_worker(self) -> Iterator[Child]:
        """Run a normal worker meanwhile."""
        worker = self.stack.add_worker()
        try:
            yield worker
        finally:
            worker.kill()

    def tasks(self, title: str) -> int:
        """Count the tasks of a title."""
        return sum(task["title"] == title for task in self.stack.human("rows", table="tasks"))

    def delay(self, action: str, *, seconds: float) -> None:
        """Let the next call of an action take that long."""
        fault = {"action": action, "kind": "delay", "delay_s": seconds}
        httpx.post(f"{self.stack.sandbox['backend']}/human/faults", json=fault).raise_for_status()


class Conversation:
    """One thread and the engineer.

    Attributes:
        task: The thread.
    """

    def __init__(self, stack: Stack, task: str) -> None:
        self._stack = stack
        self.task = task

    def say(self, text: str) -> None:
        """A person writes into the thread."""
        self._stack.human("post_message", task=self.task, content=text)

    def assign(self) -> None:
        """A person assigns the engineer."""
        agent = self._stack.sandbox["agents"]["engineer"]
        self._stack.human("assign", task=self.task, agents=[agent])

    def status(self) -> str:
        """Return the task's status."""
        tasks = self._stack.human("rows", table="tasks")
        return next(str(task["status"]) for task in tasks if task["_id"] == self.task)

    def answers(self) -> list[str]:
        """What the engineer wrote into the thread."""
        agent = self._stack.sandbox["agents"]["engineer"]
        return [m["content"] for m in self._of_task("messages") if m["authorId"] == agent]

    def asks(self) -> list[dict[str, Any]]:
        """What the gateway was asked in this conversation, in order of arrival."""
        return [ask for ask in self._stack.asks() if self.task in (ask["session_key"] or "")]

    def rows(self) -> list[dict[str, Any]]:
        """The engineer's notifications of the thread."""
        return [r for r in self._of_task("notifications") if r["recipientType"] == "agent"]

    def await_answers(self, count: int, *, seconds: float = 20) -> None:
        """Wait until the thread has so many answers, all rows are marked and nothing is open."""
        until(self.answers, lambda found: len(found) >= count, seconds=seconds)
        until(self.rows, lambda rows: all("deliveredAt" in row for row in rows), seconds=seconds)
        until(self.open, lambda found: not found, seconds=seconds)

    def open(self) -> list[str]:
        """The deliveries of the thread that the store knows and has not settled."""
        rows = tuple(row["_id"] for row in self._of_task("notifications"))
        with self._store() as store:
            opened = [name.decode() for name in store.zrange(f"{self._prefix}open", 0, -1)]
        return [name for name in opened if name.startswith(rows)]

    def strikes(self) -> int:
        """How many workers have died over what is open."""
        names = self.open()
        with self._store() as store:
            found = [store.hget(f"{self._prefix}delivery:{name}", "strikes") for name in names]
        return sum(int(count or 0) for count in found)

    @property
    def _prefix(self) -> str:
        return f"mission-control:{{{self._stack.settings['ACCOUNT_ID']}}}:"

    def _store(self) -> redis.Redis:
        return redis.Redis.from_url(self._stack.settings["REDIS_URL"])

    def _of_task(self, table: str) -> list[dict[str, Any]]:
        return [row for row in self._stack.ledger()[table] if row.get("taskId") == self.task]
