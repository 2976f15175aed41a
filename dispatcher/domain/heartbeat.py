"""Heartbeats: what an agent is to look at, what its answer comes to, and whom the lead reminds."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from dispatcher.domain.delivery import Entry
from dispatcher.domain.ids import AgentId, MessageId, NotificationId, TaskId
from dispatcher.domain.notification import Kind, Message
from dispatcher.domain.reply import Said, judge

LOOKS_AT: Final = ("in_progress", "assigned")
LEAD_LOOKS_AT: Final = ("in_progress", "review", "assigned")
FOLLOW_UPS: Final = 3
STALE: Final = timedelta(minutes=15)
TITLE_LIMIT: Final = 300

_FAR_MS: Final = 100 * 365 * 86_400_000
"""A heartbeat stands behind all notifications of its mailbox, also those that come later."""
_OK: Final = re.compile(r"(?<![\w-])HEARTBEAT_OK(?![\w-])")
_TASK_ID: Final = re.compile(r"Task\s+ID[^\w\n]*:[^\w\n]*([A-Za-z0-9_-]+)", re.IGNORECASE)
_NO_ANSWER: Final = ("**Summary**", "- OpenClaw did not return a response for this run.")
_MENTIONS: Final = re.compile(r"\A(?:@[\w-]+\s+)+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedTask:
    """A task that an agent could act on."""

    task_id: TaskId
    title: str
    status: str
    description: str
    assignees: tuple[AgentId, ...]
    created_ms: int
    updated_ms: int


class Beat(StrEnum):
    """What the answer of a heartbeat comes to."""

    ACTION = "action"
    OK = "ok"
    AMBIGUOUS = "ambiguous"
    NOTHING = "nothing"


def entry_of_heartbeat(agent: AgentId, slot: datetime) -> Entry:
    """Make the mailbox entry of one heartbeat; the slot is its identity."""
    slot_ms = round(slot.timestamp() * 1000)
    return Entry(
        notification=NotificationId(f"heartbeat-{agent}"),
        message=MessageId(str(slot_ms)),
        agent=agent,
        task=None,
        kind=Kind.HEARTBEAT,
        created_at_ms=slot_ms + _FAR_MS,
        creation_time_ms=float(slot_ms + _FAR_MS),
        # It is no row of the backend: nobody lists it, and nobody marks it.
        is_carried=True,
    )


def first_wait(place: int, of: int, every: timedelta) -> timedelta:
    """Say how long the first heartbeat of an agent waits, so that not all wake at once."""
    return min(every * 0.4, timedelta(minutes=2)) * (place / max(1, of))


def tracked(*lists: Sequence[TrackedTask], leads: bool) -> tuple[TrackedTask, ...]:
    """Merge lists of tasks, keep those that matter, and put the one to look at first in front.

    Args:
        lists: What a later list says of a task counts.
        leads: The lead looks at what has rested longest, the others at what moved last.
    """
    ranks = {status: at for at, status in enumerate(LEAD_LOOKS_AT if leads else LOOKS_AT)}
    found = {task.task_id: task for tasks in lists for task in tasks}
    kept = [task for task in found.values() if task.status in ranks]
    sign = 1 if leads else -1
    return tuple(sorted(kept, key=lambda task: (ranks[task.status], sign * task.updated_ms)))


def judge_beat(text: str) -> Beat:
    """Say what an answer comes to; a no-op anywhere in it makes it one."""
    said = judge(text)
    if said is Said.HEARTBEAT_OK:
        return Beat.OK
    if said in {Said.EMPTY, Said.PLACEHOLDER}:
        return Beat.NOTHING
    if said is not Said.TEXT or text.strip() == "NO":
        return Beat.OK
    return Beat.AMBIGUOUS if _OK.search(text) else Beat.ACTION


def task_named(text: str, shown: Sequence[TrackedTask]) -> TaskId | None:
    """Find the task that an answer is about: the one that it names, if it was shown, else the first."""
    found = _TASK_ID.search(text)
    ids = {str(task.task_id): task.task_id for task in shown}
    if found is not None and found[1] in ids:
        return ids[found[1]]
    return shown[0].task_id if shown else None


def fingerprint(tasks: Sequence[TrackedTask], thread: Sequence[Message]) -> str:
    """Name what an agent could act on, so that a change of it can be seen."""
    facts = [f"{task.task_id} {task.status} {task.updated_ms}" for task in tasks]
    facts += [message.message_id for message in thread[-1:]]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def last_word_ms(task: TrackedTask, thread: Sequence[Message]) -> int:
    """Say when somebody assigned last said something of substance, or the task moved."""
    for message in reversed(thread):
        if message.author_id in task.assignees and _has_substance(message.content):
            return message.created_at_ms
    return task.updated_ms or task.created_ms


def is_stale(task: TrackedTask, thread: Sequence[Message], *, now_ms: int) -> bool:
    """Say whether the lead asks the assignees of a task how it goes."""
    if task.status not in LEAD_LOOKS_AT or not task.assignees:
        return False
    return now_ms - last_word_ms(task, thread) >= STALE / timedelta(milliseconds=1)


def _has_substance(text: str) -> bool:
    if judge(text) is not Said.TEXT:
        return False
    lines = [line.strip() for line in _MENTIONS.sub("", text.strip()).splitlines() if line.strip()]
    return tuple(lines[:2]) != _NO_ANSWER
