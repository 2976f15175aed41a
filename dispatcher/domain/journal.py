"""How far a delivery is, and where the next attempt resumes: one small record per delivery.

It is written before and after every step that the outside can see, always as a whole.
"""

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import MessageId, NotificationId, SessionKey
from dispatcher.domain.reply import Reply, ToolCall, Usage

VERSION: Final = 1
_PLAIN: Final = (
    "session_key", "asks", "is_required", "is_answer_to_agent", "starts_work",
    "attempts_spent", "post_key", "message", "outcome", "cause",
)  # fmt: skip


class Stage(StrEnum):
    """The last step that was journalled, in the order in which they come."""

    NEW = "new"
    ASKED = "asked"
    ANSWERED = "answered"
    POSTING = "posting"
    MARKING = "marking"
    DYING = "dying"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The record.

    Attributes:
        session_key: Where the first ask went; every later one goes there too.
        asks: How often the agent was asked, answered or not.
        is_required: Somebody waits for an answer; as it was when the agent was asked.
        is_answer_to_agent: An agent's message caused the turn; as it was then.
        starts_work: The task moves on once the reply is posted; as it was then.
        reply: The stored answer. Once it is here the agent is never asked again.
        attempts_spent: Attempts that were spent on getting the reply; writing it back has its own.
        post_key: The key of the post that may be under way.
        outcome: What the delivery settles as once its row is marked.
        cause: Why it dies, when the stage is ``DYING``.
    """

    stage: Stage = Stage.NEW
    session_key: SessionKey | None = None
    asks: int = 0
    is_required: bool = False
    is_answer_to_agent: bool = False
    starts_work: bool = False
    reply: Reply | None = None
    attempts_spent: int = 0
    post_key: NotificationId | None = None
    message: MessageId | None = None
    outcome: str | None = None
    cause: str | None = None

    def evolve(self, **changes: Any) -> "Journal":  # noqa: ANN401 - the fields have their types
        """Return a new record with some fields changed."""
        return replace(self, **changes)


def dump(journal: Journal) -> str:
    """Write a journal as JSON text with its version; empty fields are left out."""
    fields: dict[str, Any] = {"v": VERSION, "stage": journal.stage}
    for name in _PLAIN:
        value = getattr(journal, name)
        if value:
            fields[name] = value
    if journal.reply is not None:
        fields["reply"] = _dump_reply(journal.reply)
    # In ASCII: half an emoji of a model must not make the record unwritable.
    return json.dumps(fields, separators=(",", ":"))


def load(text: str) -> Journal:
    """Read a journal back.

    Raises:
        JournalUnreadable: The text was not written by ``dump`` of a version up to ours.
    """
    if not text:
        return Journal()
    try:
        fields = json.loads(text)
        version, reply = int(fields["v"]), fields.get("reply")
        journal = Journal(
            stage=Stage(fields["stage"]),
            session_key=fields.get("session_key"),
            asks=int(fields.get("asks", 0)),
            is_required=bool(fields.get("is_required")),
            is_answer_to_agent=bool(fields.get("is_answer_to_agent")),
            starts_work=bool(fields.get("starts_work")),
            reply=None if reply is None else _load_reply(reply),
            attempts_spent=int(fields.get("attempts_spent", 0)),
            post_key=fields.get("post_key"),
            message=fields.get("message"),
            outcome=fields.get("outcome"),
            cause=fields.get("cause"),
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
        RecursionError,
    ) as error:
        raise JournalUnreadable(f"unreadable journal: {error}") from error
    if version > VERSION:
        raise JournalUnreadable(
            f"journal of version {version}; this program knows {VERSION}", is_newer=True
        )
    return journal


def _dump_reply(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.text,
        "calls": [[call.call_id, call.name, call.arguments] for call in reply.tool_calls],
        "incomplete": reply.is_incomplete,
        "usage": [reply.usage.input_tokens, reply.usage.output_tokens],
    }


def _load_reply(fields: dict[str, Any]) -> Reply:
    calls = (ToolCall(call_id=c[0], name=c[1], arguments=c[2]) for c in fields["calls"])
    used = fields["usage"]
    return Reply(
        text=str(fields["text"]),
        tool_calls=tuple(calls),
        is_incomplete=bool(fields["incomplete"]),
        usage=Usage(input_tokens=int(used[0]), output_tokens=int(used[1])),
    )
