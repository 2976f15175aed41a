"""Follows one message of the sandbox from its writing to the reply, step by step."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dispatcher.lab.stack import Stack

_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened. ``is_reply`` marks the agent's answer, ``is_end`` the last step."""

    text: str
    is_reply: bool = False
    is_end: bool = False


def follow(stack: Stack, message_id: str, *, limit_s: float) -> Iterator[Step]:
    """Yield the steps of a message's notifications as they happen.

    Ends after the step with ``is_end``, or without one when the time is over.
    """
    deadline = time.monotonic() + limit_s
    told: set[str] = set()
    while time.monotonic() < deadline:
        for key, step in _steps(stack, message_id):
            if key not in told:
                told.add(key)
                yield step
                if step.is_end:
                    return
        time.sleep(_LOOK_S)


def _steps(stack: Stack, message_id: str) -> Iterator[tuple[str, Step]]:
    ledger = stack.ledger()
    rows = [
        row
        for row in ledger["notifications"]
        if row.get("messageId") == message_id and row["recipientType"] == "agent"
    ]
    if not rows:
        yield "nobody", Step("nobody is notified: mention @engineer, @writer or @squad-lead", is_end=True)  # fmt: skip
        return
    asks = stack.asks() if "gateway" in stack.sandbox else []
    for row in rows:
        yield from _row_steps(row, ledger["messages"], asks, stack.sandbox.get("agents", {}))
    if all("deliveredAt" in row for row in rows):
        yield "end", Step("done", is_end=True)


def _row_steps(
    row: dict[str, Any],
    messages: list[dict[str, Any]],
    asks: list[dict[str, Any]],
    agents: dict[str, str],
) -> Iterator[tuple[str, Step]]:
    row_id = row["_id"]
    name = next((slug for slug, each in agents.items() if each == row["recipientId"]), "the agent")
    yield f"{row_id} made", Step(f"the backend notifies {name} ({row['type']})")
    if "readAt" in row:
        yield f"{row_id} read", Step(f"a worker has it: {name} is typing")
    for ask in asks:
        if row_id in ask["input_text"]:
            yield f"{row_id} ask {ask['seq']}", Step(f"the gateway runs {name}'s turn")
            if ask["outcome"] not in {"running", "answered"}:
                yield f"{row_id} end {ask['seq']}", Step(f"the turn failed ({ask['outcome']})")
    for message in messages:
        if message.get("sourceNotificationId") == row_id:
            yield f"{row_id} reply", Step(f"{name}: {message['content']}", is_reply=True)
    if "deliveredAt" in row:
        yield f"{row_id} marked", Step("the notification is marked delivered")
