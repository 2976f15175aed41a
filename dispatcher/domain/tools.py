"""The catalogue of tools: what an agent may call in a turn, and how its arguments are read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.domain.notification import Context
from dispatcher.domain.policy import may_mark_done
from dispatcher.domain.reply import ToolCall
from dispatcher.domain.text import cut_units, without_lone_surrogates

RESULT_LIMIT: Final = 64_000
_ERROR_LIMIT: Final = 400
_LARGEST: Final = 1e15
_STATUSES: Final = ("in_progress", "review", "done", "blocked")
ALL_STATUSES: Final = (
    "inbox", "assigned", "in_progress", "review", "done", "blocked", "archived",
)  # fmt: skip
PRIORITY_ERROR: Final = "Invalid priority: use 1-5 or one of critical|high|medium|low|lowest"
_PRIORITIES: Final = {"critical": 1, "high": 2, "medium": 3, "low": 4, "lowest": 5}
_DOCUMENT_TYPES: Final = ("deliverable", "note", "template", "reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool as it is offered.

    Attributes:
        properties: By name, in the plain JSON Schema that every provider takes.
        required: Names that must be given.
    """

    name: str
    description: str
    properties: Mapping[str, Mapping[str, Any]]
    required: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """The schema of the arguments."""
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.required),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What became of a call; ``text`` is JSON that names the tool."""

    call_id: str
    name: str
    text: str


class ArgumentsInvalid(Exception):
    """An agent's arguments cannot be used; the text is for the agent."""


def offered(context: Context) -> tuple[Tool, ...]:
    """Choose the tools of a turn by its task and the agent's rights."""
    flags, found = context.flags, []
    if context.task is not None and flags.can_modify_task_status:
        found.append(_task_status(may_mark_done=may_mark_done(context)))
    if flags.can_create_tasks:
        found.append(_TASK_CREATE)
    if flags.can_create_documents:
        found.append(_DOCUMENT_UPSERT)
    return tuple(found)


def read_arguments(call: ToolCall, tool: Tool) -> dict[str, Any]:
    """Read a call's arguments and check the types of those that the schema names.

    Raises:
        ArgumentsInvalid: They are not JSON, not an object, or of a wrong type.
    """
    try:
        found = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise ArgumentsInvalid("Invalid JSON arguments") from error
    if not isinstance(found, dict):
        raise ArgumentsInvalid("Invalid JSON arguments")
    given = {
        name: _clean(value) for name, value in found.items() if not _is_left_out(name, value, tool)
    }
    if isinstance(given.get("priority"), str):
        given["priority"] = _priority(given["priority"])
    for name, schema in tool.properties.items():
        if name in given and not _is_of_type(given[name], schema):
            raise ArgumentsInvalid(f"{name} must be of type {schema['type']}")
    return {name: given[name] for name in tool.properties if name in given}


def result_of(call: ToolCall, content: Mapping[str, Any]) -> ToolResult:
    """Write a result as JSON text that names its tool and stays within the limit."""
    text = _json({"tool": call.name} | dict(content))
    whole, kept = text, RESULT_LIMIT
    while len(text) > RESULT_LIMIT:
        kept //= 2
        success = content.get("success", False)
        cut = {"tool": call.name, "success": success, "cut": True, "text": whole[:kept]}
        text = _json(cut)
    return ToolResult(call_id=call.call_id, name=call.name, text=text)


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)


def refusal_of(call: ToolCall, error: str) -> ToolResult:
    """Tell the agent that its call was refused."""
    return result_of(call, {"success": False, "error": cut_units(error, _ERROR_LIMIT)})


def _clean(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Mend half an emoji of a model, which could not be sent on."""
    if isinstance(value, str):
        return without_lone_surrogates(value)
    return [_clean(one) for one in value] if isinstance(value, list) else value


def _is_left_out(name: str, value: object, tool: Tool) -> bool:
    """Say whether a value stands for nothing: models like to fill in every property."""
    return value is None or (value == "" and name not in tool.required)


def _priority(word: str) -> int:
    try:
        return _PRIORITIES[word.strip().lower()]
    except KeyError:
        raise ArgumentsInvalid(PRIORITY_ERROR) from None


def _is_of_type(value: object, schema: Mapping[str, Any]) -> bool:
    match schema["type"]:
        case "string":
            return isinstance(value, str)
        case "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            return abs(value) < _LARGEST
        case "array":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case _:
            return isinstance(value, dict)


def _text(meaning: str) -> dict[str, Any]:
    return {"type": "string", "description": meaning}


def _choice(meaning: str, values: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values), "description": meaning}


_REASON: Final = _text("Why it is blocked; needed with the status blocked.")


def _task_status(*, may_mark_done: bool) -> Tool:
    statuses = tuple(name for name in _STATUSES if may_mark_done or name != "done")
    return Tool(
        name="task_status",
        description="Set the status of the task. Call it before you answer: words alone change "
        "nothing.",
        properties={
            "taskId": _text("The task's id, as in the prompt."),
            "status": _choice("The new status.", statuses),
            "blockedReason": _REASON,
        },
        required=("taskId", "status"),
    )


_TASK_CREATE: Final = Tool(
    name="task_create",
    description="Create a follow-up task. Without the lead's role you become its assignee when it "
    "starts as assigned or in_progress.",
    properties={
        "title": _text("What is to be done, in one line."),
        "description": _text("The details, in Markdown."),
        "priority": {"type": "number", "description": "1 (highest) to 5 (lowest); usually 3."},
        "labels": {"type": "array", "items": {"type": "string"}, "description": "Labels."},
        "status": _choice("Where it starts; inbox unless given.", ALL_STATUSES),
        "blockedReason": _REASON,
        "dueDate": {"type": "number", "description": "When it is due, in ms since 1970."},
    },
    required=("title",),
)

_DOCUMENT_UPSERT: Final = Tool(
    name="document_upsert",
    description="Create a document, or change one. This is the only way to deliver one: put its "
    "link into your answer.",
    properties={
        "documentId": _text("The document to change; leave it out to create one."),
        "taskId": _text("The task that it belongs to."),
        "title": _text("Its title."),
        "content": _text("Its text, in Markdown."),
        "type": _choice("What it is.", _DOCUMENT_TYPES),
    },
    required=("title", "content", "type"),
)
