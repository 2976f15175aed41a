"""The two sides of a coalesced row in memory: a backend that replaces it, a gateway that listens."""

import re
from dataclasses import dataclass, replace
from typing import Final

from dispatcher.domain.ids import (
    AgentId,
    MessageId,
    NotificationId,
    TaskId,
    encode_document_id,
)
from dispatcher.domain.notification import Context, Kind, Message, Notification, Page
from dispatcher.domain.reply import Reply
from dispatcher.ports import Ask, Hold
from tests.samples import ENGINEER, TASK, context, message, notification

_ROWS, _MESSAGES = 100, 101
_WORD: Final = re.compile(r"\[m(\d+)\]")


def _id(table: int, number: int) -> str:
    return encode_document_id(table, number.to_bytes(16))


class CoalescingBackend:
    """See ``dispatcher.ports.Backend``: one thread, one agent who listens in.

    Keeps sections 5.3 and A.6 of the backend's contract: an undelivered row is turned to the newest
    message, also while it is answered; a delivered one never changes; a key posts once.

    Attributes:
        rows: By id, in order of creation.
        thread: All messages.
        written: How many messages people wrote.
    """

    def __init__(self, *, tick_ms: int) -> None:
        self._tick_ms = tick_ms
        self._now_ms = 1767225600000
        self._by_key: dict[NotificationId, MessageId] = {}
        self.rows: dict[NotificationId, Notification] = {}
        self.thread: list[Message] = []
        self.written = 0

    def say(self) -> None:
        """A person writes the next message into the thread."""
        self.written += 1
        self._now_ms += self._tick_ms
        said = self._append("user", "user_2abc", f"[m{self.written}]")
        waiting = [row for row in self.rows.values() if not row.is_delivered]
        if waiting:
            row = replace(waiting[-1], message=said, created_at_ms=self._now_ms)
        else:
            row = notification(
                notification_id=NotificationId(_id(_ROWS, len(self.rows) + 1)),
                kind=Kind.THREAD_UPDATE,
                message=said,
                created_at_ms=self._now_ms,
                creation_time_ms=self._now_ms + 0.25,
            )
        self.rows[row.notification_id] = row

    def undelivered(self) -> list[NotificationId]:
        """The rows that a poll would list."""
        return [name for name, row in self.rows.items() if not row.is_delivered]

    def answers(self) -> list[str]:
        """What the agent said in the thread."""
        return [said.content for said in self.thread if said.author_type == "agent"]

    def list_undelivered(self, *, limit: int) -> Page:
        rows = [row for row in self.rows.values() if not row.is_delivered]
        rows.sort(key=lambda row: (row.created_at_ms, row.creation_time_ms))
        return Page(rows=tuple(rows[:limit]), malformed=(), listed=len(rows[:limit]))

    def fetch_context(self, notification: NotificationId) -> Context | None:
        row = self.rows[notification]
        said = next(said for said in self.thread if said.message_id == row.message)
        return context(notification=row, message=said, thread=tuple(self.thread[-50:]))

    def mark_begun(self, notification: NotificationId) -> None:
        assert notification in self.rows

    def mark_ended(self, notification: NotificationId) -> None:
        assert notification in self.rows

    def mark_delivered(self, notification: NotificationId) -> None:
        self.rows[notification] = replace(self.rows[notification], is_delivered=True)

    def post_message(
        self,
        *,
        agent: AgentId,
        task: TaskId,
        content: str,
        key: NotificationId | None,
        wakes_agents: bool = True,
    ) -> MessageId:
        assert (agent, task) == (ENGINEER, TASK)
        assert key is not None, "every reply of these rows has a key"
        if key not in self._by_key:
            self._now_ms += self._tick_ms
            self._by_key[key] = self._append("agent", agent, content)
        return self._by_key[key]

    def _append(self, author_type: str, author: str, content: str) -> MessageId:
        said = message(
            message_id=MessageId(_id(_MESSAGES, len(self.thread) + 1)),
            author_type=author_type,
            author_id=author,
            content=content,
            created_at_ms=self._now_ms,
        )
        self.thread.append(said)
        return said.message_id


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One ask as the agent heard it.

    Attributes:
        answer: What it said.
        request: The number of the message that it was to respond to.
        contained: The numbers of all messages that it was shown.
    """

    answer: str
    request: int
    contained: frozenset[int]


class ListeningGateway:
    """See ``dispatcher.ports.Gateway``; every answer is different, and tells what it answers."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def ask(self, ask: Ask, *, hold: Hold) -> Reply:
        shown = [int(number) for number in _WORD.findall(ask.text)]
        # The message to respond to stands below the thread.
        answer = f"Answer {len(self.heard) + 1}, to m{shown[-1]}"
        self.heard.append(Heard(answer=answer, request=shown[-1], contained=frozenset(shown)))
        return Reply(text=answer)
