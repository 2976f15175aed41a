"""What each tool does: one rule for an agent's tool calls and for its calls over HTTP."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from dispatcher.domain.catalogue import EVERY_TOOL, offered
from dispatcher.domain.errors import DispatcherError
from dispatcher.domain.redact import short_error
from dispatcher.domain.rights import Rights
from dispatcher.domain.tools import CallRefused, Fault, Tool
from dispatcher.flows.acts import documents, reads, tasks
from dispatcher.flows.acts.errand import Content, Errand

_log = logging.getLogger(__name__)

_WORDS: Final = re.compile(
    r"(?:Uncaught \w*Error: )+(?P<words>.+?)(?: at (?:async )?[\w.<>]+ \(|$)"
)
_ACTION: Final = re.compile(r"^\w+: ")

_ACTS: Final[Mapping[str, Callable[[Errand], Content]]] = {
    "task_status": tasks.set_status,
    "task_update": tasks.update,
    "task_create": tasks.create,
    "document_upsert": documents.upsert,
    "document_list": documents.find,
    "response_request": tasks.request_responses,
    "get_agent_skills": reads.skills,
    "task_load": reads.load,
    "task_history": reads.history,
    "task_assign": tasks.assign,
    "task_message": tasks.say,
    "task_list": reads.tasks,
    "task_get": reads.task,
    "task_thread": reads.thread,
    "task_search": reads.search,
    "task_delete": tasks.archive,
    "task_link_pr": tasks.link,
}


def find_tool(name: str, rights: Rights) -> Tool:
    """Find a tool among those that an agent has in this turn.

    Raises:
        CallRefused: There is none of this name, or it is not the agent's.
    """
    tool = next((one for one in offered(rights) if one.name == name), None)
    if tool is not None:
        return tool
    if name not in EVERY_TOOL:
        raise CallRefused(f"Unknown tool: {name}")
    raise CallRefused(EVERY_TOOL[name].denial, fault=Fault.FORBIDDEN)


def perform(tool: Tool, errand: Errand) -> Content:
    """Run one call whose arguments are of the right types; return what the agent is told.

    Raises:
        CallRefused: The arguments or the agent's rights do not allow it; nothing was done.
        BackendError: The backend refused, or nobody knows.
    """
    named = errand.text("taskId")
    if named and named != errand.rights.task:
        # An agent may work on any task of its account; that it leaves its own is worth a line.
        _log.info(
            "%s is used on another task", tool.name, extra={"action": "tool", "agent": errand.agent}
        )
    return _ACTS[tool.name](errand)


def is_repeatable(tool: Tool, arguments: Mapping[str, Any]) -> bool:
    """Say whether running a call twice ends in the same state as running it once."""
    return tool.is_repeatable or bool(arguments.get("documentId"))


def words_of(error: DispatcherError) -> str:
    """Say in the backend's own words why a call was not carried out, for the agent to read."""
    text = short_error(str(error))
    found = _WORDS.search(text)
    return found["words"] if found else _ACTION.sub("", text)
