"""What the measurements share: a stack of its own, a steady trickle, and what the ledgers tell."""

import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dispatcher.lab.stack import Stack


@contextmanager
def running_stack(settings: Mapping[str, str], *, delay_s: float) -> Iterator[Stack]:
    """Start a stack of its own and stop it at the end; only these settings are not the default."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(
            Path(folder), settings=settings, sandbox_arguments=("--delay", str(delay_s))
        ).start()
        try:
            # Without a lead nobody listens in on the threads of others.
            stack.human("set_orchestrator", agent=None)
            yield stack
        finally:
            stack.stop()


def mention(stack: Stack, task: str, text: str) -> None:
    """Let a person write into a thread."""
    stack.human("post_message", task=task, content=text)


def trickle(stack: Stack, tasks: Sequence[str], *, per_s: float, seconds: float) -> int:
    """Mention the engineer in one task after the other at a steady rate; return how often."""
    began, count = time.monotonic(), round(per_s * seconds)
    for number in range(count):
        time.sleep(max(0.0, began + number / per_s - time.monotonic()))
        mention(stack, tasks[number % len(tasks)], f"@engineer message {number}")
    return count


def waits(stack: Stack, tasks: Sequence[str], agent: str = "engineer") -> list[float]:
    """Return the seconds from a notification's creation to its reply, of some tasks."""
    ledger, agent_id = stack.ledger(), stack.sandbox["agents"][agent]
    replied = {m.get("sourceNotificationId"): m["createdAt"] for m in ledger["messages"]}
    return [
        (replied[row["_id"]] - row["createdAt"]) / 1000
        for row in ledger["notifications"]
        if row["recipientId"] == agent_id and row["taskId"] in tasks and row["_id"] in replied
    ]


def asks_of(stack: Stack, agent: str = "engineer") -> list[dict[str, Any]]:
    """The gateway's asks of one agent."""
    return [ask for ask in stack.asks() if ask["agent"] == agent]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile; not a number when there are no values."""
    if not values:
        return float("nan")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def told(settings: Mapping[str, str]) -> str:
    """Write settings in one line."""
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "all default"
