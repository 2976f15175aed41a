"""How far a delivery is, and where the next attempt resumes: one small record per delivery.

It is written before and after every step that the outside can see, always as a whole.
"""

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import MessageId, NotificationId, SessionKey, TaskId
from dispatcher.domain.reply import Reply, ToolCall, Usage
from dispatcher.domain.rights import Rights, dump_rights, load_rights
from dispatcher.domain.tools import ToolResult

_as_json: Final = json.JSONEncoder(separators=(",", ":")).encode

VERSION: Final = 2
"""Version 1 had no tool calls; its records are read as they are."""

_PLAIN: Final = (
    "session_key", "asks", "answers", "shown_ms", "is_required", "is_answer_to_agent", "starts_work",
    "rounds", "calls_begun", "requests", "said", "attempts_spent", "post_key", "blind", "task", "message", "outcome", "cause",
)  # fmt: skip


class Blind(StrEnum):
    """How far a post without a key is, of which a failure leaves nobody knowing whether it is there."""

    SENT = "sent"
    WAITED = "waited"


class Stage(StrEnum):
    """The last step that was journalled, in the order in which they come."""

    NEW = "new"
    ASKED = "asked"
    ANSWERED = "answered"
    TOOLS = "tools"
    POSTING = "posting"
    MARKING = "marking"
    DYING = "dying"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The record.

    Attributes:
        session_key: Where the first ask went; every later one goes there too.
        asks: How often the agent was asked, answered or not.
        answers: How many of these asks were answered.
        shown_ms: When the newest message was written that the first ask showed.
        is_required: Somebody waits for an answer; as it was when the agent was asked.
        is_answer_to_agent: An agent's message caused the turn; as it was then.
        starts_work: The task moves on once the reply is posted; as it was then.
        rights: What the agent may do in this turn, as it was when it was first asked: a call that is
            run again must not be refused because of what it has changed.
        reply: The stored answer. The agent is never asked for it again; when it holds tool calls,
            the next ask brings their results.
        rounds: How many answers with tool calls there were.
        results: What became of the calls of ``reply``, in their order, as far as they were run.
        calls_begun: How many of them were begun: one more than there are results means that nobody
            knows whether the last one happened.
        requests: How many of the agent's requests for responses have succeeded so far.
        said: The text of an earlier round, in case the last one has none.
        attempts_spent: Attempts that were spent on getting the reply; writing it back has its own.
        post_key: The key of the post that may be under way.
        blind: Set when the post has no key: it is looked for in the thread before it is repeated.
        task: Where the update of a heartbeat goes; what it was about may look different by now.
        outcome: What the delivery settles as once its row is marked.
        cause: Why it dies, when the stage is ``DYING``.
    """

    stage: Stage = Stage.NEW
    session_key: SessionKey | None = None
    asks: int = 0
    answers: int = 0
    shown_ms: int = 0
    is_required: bool = False
    is_answer_to_agent: bool = False
    starts_work: bool = False
    rights: Rights | None = None
    reply: Reply | None = None
    rounds: int = 0
    results: tuple[ToolResult, ...] = ()
    calls_begun: int = 0
    requests: int = 0
    said: str = ""
    attempts_spent: int = 0
    post_key: NotificationId | None = None
    blind: Blind | None = None
    task: TaskId | None = None
    message: MessageId | None = None
    outcome: str | None = None
    cause: str | None = None

    def evolve(self, **changes: Any) -> "Journal":  # noqa: ANN401 - the fields have their types
        """Return a new record with some fields changed."""
        return replace(self, **changes)

    @property
    def has_open_calls(self) -> bool:
        """Say whether the agent waits for the results of its calls."""
        return self.reply is not None and bool(self.reply.tool_calls)

    @property
    def needs_no_agent(self) -> bool:
        """Say whether everything that is still to do concerns the backend alone."""
        if self.stage in {Stage.MARKING, Stage.DYING}:
            return True
        return self.reply is not None and not self.reply.tool_calls


def dump(journal: Journal) -> str:
    """Write a journal as JSON text with its version; empty fields are left out."""
    fields: dict[str, Any] = {"v": VERSION, "stage": journal.stage}
    for name in _PLAIN:
        value = getattr(journal, name)
        if value:
            fields[name] = value
    if journal.rights is not None:
        fields["rights"] = dump_rights(journal.rights)
    if journal.reply is not None:
        fields["reply"] = _dump_reply(journal.reply)
    if journal.results:
        fields["results"] = [[one.call_id, one.name, one.text] for one in journal.results]
    # In ASCII: half an emoji of a model must not make the record unwritable.
    return _as_json(fields)


def load(text: str) -> Journal:
    """Read a journal back.

    Raises:
        JournalUnreadable: The text was not written by ``dump`` of a version up to ours.
    """
    if not text:
        return Journal()
    try:
        fields = json.loads(text)
        _refuse_newer(int(fields["v"]))
        reply = fields.get("reply")
        journal = Journal(
            stage=Stage(fields["stage"]),
            session_key=fields.get("session_key"),
            asks=int(fields.get("asks", 0)),
            answers=int(fields.get("answers", 0)),
            shown_ms=int(fields.get("shown_ms", 0)),
            is_required=bool(fields.get("is_required")),
            is_answer_to_agent=bool(fields.get("is_answer_to_agent")),
            starts_work=bool(fields.get("starts_work")),
            rights=load_rights(fields["rights"]) if "rights" in fields else None,
            reply=None if reply is None else _load_reply(reply),
            rounds=int(fields.get("rounds", 0)),
            results=tuple(_load_result(one) for one in fields.get("results", ())),
            calls_begun=int(fields.get("calls_begun", 0)),
            requests=int(fields.get("requests", 0)),
            said=str(fields.get("said", "")),
            attempts_spent=int(fields.get("attempts_spent", 0)),
            post_key=fields.get("post_key"),
            blind=Blind(fields["blind"]) if "blind" in fields else None,
            task=fields.get("task"),
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
    return journal


def _refuse_newer(version: int) -> None:
    """Look at the version before anything else: a newer program may use other words."""
    if version > VERSION:
        raise JournalUnreadable(
            f"journal of version {version}; this program knows {VERSION}", is_newer=True
        )


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


def _load_result(fields: list[str]) -> ToolResult:
    return ToolResult(call_id=str(fields[0]), name=str(fields[1]), text=str(fields[2]))
