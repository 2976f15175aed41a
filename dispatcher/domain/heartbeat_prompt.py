"""Gathers what an agent is told when it is woken; the words stand in a template."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from dispatcher.domain.catalogue import EVERY_TOOL, offered
from dispatcher.domain.fence import fenced, one_line
from dispatcher.domain.heartbeat import TITLE_LIMIT, TrackedTask
from dispatcher.domain.notification import Message
from dispatcher.domain.prompt import NAME_LIMIT, Reach, Render, capability
from dispatcher.domain.rights import Rights

TASKS: Final = 25
ENTRIES: Final = 8
_DESCRIPTION_LIMIT: Final = 240
_ENTRY_LIMIT: Final = 220
_WAYS: Final = {"load": "task_load", "search": "task_search", "request": "response_request"}


def build_heartbeat(
    tasks: Sequence[TrackedTask],
    thread: Sequence[Message],
    render: Render,
    *,
    rights: Rights,
    reach: Reach,
    now: datetime,
) -> str:
    """Build the message that wakes an agent.

    Args:
        tasks: What it could act on; the first one is its focus.
        thread: Of the focus, oldest first.
        render: Fills the template.
        rights: Whether it leads, and what it may do.
        reach: How it acts.
        now: The time that it is told.
    """
    capabilities = [capability(tool, reach) for tool in offered(rights)] if reach.token else []
    return render(
        "heartbeat",
        is_lead=rights.is_orchestrator,
        reach=reach,
        capabilities=capabilities,
        ways={name: _way(tool, reach) for name, tool in _WAYS.items()},
        tasks=[_task(task) for task in tasks[:TASKS]],
        left_out=max(0, len(tasks) - TASKS),
        thread=[_entry(message) for message in thread[-ENTRIES:]],
        now=now.isoformat(),
    )


def _way(name: str, reach: Reach) -> str:
    if reach.token is None:
        return f"`{name}`"
    return f"`POST {reach.base_url}/agent/{EVERY_TOOL[name].path}`"


def _task(task: TrackedTask) -> Mapping[str, str]:
    return {
        "title": one_line(task.title, TITLE_LIMIT),
        "status": one_line(task.status, NAME_LIMIT),
        "task_id": one_line(task.task_id, NAME_LIMIT),
        "description": one_line(task.description, _DESCRIPTION_LIMIT),
    }


def _entry(message: Message) -> Mapping[str, str]:
    at = datetime.fromtimestamp(message.created_at_ms / 1000, UTC).isoformat()
    return {
        "author": one_line(message.author_name or message.author_id, NAME_LIMIT),
        "kind": one_line(message.author_type, NAME_LIMIT),
        "at": at if message.created_at_ms else "unknown_time",
        "content": one_line(message.content, _ENTRY_LIMIT) or fenced("", _ENTRY_LIMIT),
    }
