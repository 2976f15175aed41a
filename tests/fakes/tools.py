"""Agents that call tools: what they say, and offices where they may."""

import json
from typing import Any

from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Flags, Kind
from dispatcher.domain.reply import Reply, ToolCall
from tests.fakes.deliveries import office_for
from tests.fakes.desk import Office
from tests.samples import TASK

EVERY_FLAG = Flags(
    can_create_tasks=True, can_modify_task_status=True, can_create_documents=True,
    can_mark_done=True,
)  # fmt: skip
KEY = SessionKey("task:t:agent:engineer:acc:v0")


def call(name: str, call_id: str = "c1", **arguments: Any) -> ToolCall:
    """One call of an agent."""
    return ToolCall(call_id=call_id, name=name, arguments=json.dumps(arguments))


def create(title: str = "Write tests", call_id: str = "c1") -> ToolCall:
    """A call that must never be repeated silently."""
    return call("task_create", call_id, title=title)


def review(call_id: str = "c1") -> ToolCall:
    """A call that may be repeated."""
    return call("task_status", call_id, taskId=TASK, status="review")


def write(call_id: str = "c1", **arguments: Any) -> ToolCall:
    """A call that writes a document: creating one may not be repeated, changing one may."""
    facts = {"title": "Plan", "content": "# Plan", "type": "note"} | arguments
    return call("document_upsert", call_id, **facts)


def calling(*calls: ToolCall, text: str = "") -> Reply:
    """An answer with calls, and perhaps words beside them."""
    return Reply(text=text, tool_calls=calls)


def busy_office(kind: Kind = Kind.MENTION, *, flags: Flags = EVERY_FLAG, **facts: Any) -> Office:
    """Set up an office whose agent may use every tool."""
    return office_for(kind, flags=flags, **facts)


def open_calls(*calls: ToolCall, stage: Stage = Stage.ANSWERED, **changes: Any) -> Journal:
    """Give the journal of a turn whose agent waits for the results of its calls."""
    return Journal(
        stage=stage, session_key=KEY, asks=1, answers=1, rounds=1, is_required=True,
        reply=calling(*calls),
    ).evolve(**changes)  # fmt: skip


def results(office: Office, ask: int = -1) -> list[dict[str, Any]]:
    """What the agent was told of its calls, in one of its asks."""
    return [json.loads(result.text) for result in office.gateway.asks[ask].results]
