"""Tools: their form, how a call's arguments are read, how its result is written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from dispatcher.domain.redact import without_turn_tokens
from dispatcher.domain.reply import ToolCall
from dispatcher.domain.text import cut_units, without_lone_surrogates

RESULT_LIMIT: Final = 64_000
_ERROR_LIMIT: Final = 400
_LARGEST: Final = 1e15
PRIORITY_ERROR: Final = "Invalid priority: use 1-5 or one of critical|high|medium|low|lowest"
_PRIORITIES: Final = {"critical": 1, "high": 2, "medium": 3, "low": 4, "lowest": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool as it is offered.

    Attributes:
        label: How the agent's list of capabilities names it: what it does, then the tool.
        properties: By name, in the plain JSON Schema that every provider takes.
        required: Names that must be given.
        is_for_lead: Only the orchestrator has it.
        is_repeatable: Running a call twice ends in the same state as running it once.
        denial: What an agent is told that calls it without having it.
        path: Where it is reached over HTTP, below ``/agent/``.
    """

    name: str
    label: str
    description: str
    properties: Mapping[str, Mapping[str, Any]]
    required: tuple[str, ...] = ()
    is_for_lead: bool = False
    is_repeatable: bool = True
    denial: str
    path: str

    @property
    def does(self) -> str:
        """Say what it is for, without naming the tool."""
        return self.label.partition(" (")[0]

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


class Fault(StrEnum):
    """Why a call is refused before anything is done."""

    MISSING = "missing"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"


class CallRefused(Exception):
    """An agent's call cannot be run; the text is for the agent.

    Attributes:
        fault: Whose fault, for those who have to choose an HTTP status.
        at_endpoint: The words for a caller over HTTP, which differ in places.
    """

    def __init__(self, text: str, *, fault: Fault = Fault.INVALID, at_endpoint: str = "") -> None:
        super().__init__(text)
        self.fault = fault
        self.at_endpoint = at_endpoint or text


def read_arguments(call: ToolCall, tool: Tool) -> dict[str, Any]:
    """Read a call's arguments and check the types of those that the schema names.

    Raises:
        CallRefused: They are not JSON, not an object, or of a wrong type.
    """
    try:
        found = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise CallRefused("Invalid JSON arguments") from error
    return check_arguments(found, tool)


def check_arguments(found: object, tool: Tool) -> dict[str, Any]:
    """Keep what the schema of a tool names, and check its types.

    Args:
        found: Parsed JSON.
        tool: Its properties are kept, all others dropped.

    Raises:
        CallRefused: It is not an object, or something in it is of a wrong type.
    """
    if not isinstance(found, dict):
        raise CallRefused("Invalid JSON arguments")
    given = {
        name: _clean(found[name])
        for name in tool.properties
        if name in found and not _is_left_out(name, found[name], tool)
    }
    if isinstance(given.get("priority"), str):
        given["priority"] = _priority(given["priority"])
    for name, value in given.items():
        schema = tool.properties[name]
        if not _is_of_type(value, schema):
            raise CallRefused(f"{name} must be of type {schema['type']}")
    return given


def body_form(tool: Tool) -> str:
    """Show the fields of a call over HTTP; a ``?`` marks what may be left out."""
    return f"{{{', '.join(_field_form(name, tool) for name in tool.properties)}}}"


def _field_form(name: str, tool: Tool) -> str:
    schema = tool.properties[name]
    meaning = "|".join(schema["enum"]) if "enum" in schema else schema["type"]
    meaning = "[string]" if meaning == "array" else meaning
    return f'"{name}"{"" if name in tool.required else "?"}: {meaning}'


def result_of(call: ToolCall, content: Mapping[str, Any]) -> ToolResult:
    """Write a result as JSON text that names its tool and stays within the limit."""
    text = _json({"tool": call.name} | dict(content))
    whole, kept = text, RESULT_LIMIT
    while len(text) > RESULT_LIMIT and kept:
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
    """Mend half an emoji of a model, which could not be sent on, and keep its token back."""
    if isinstance(value, str):
        return without_turn_tokens(without_lone_surrogates(value))
    if isinstance(value, list):
        # One level is all that a schema allows; what is deeper is refused by its type.
        return [_clean(one) if isinstance(one, str) else one for one in value]
    return value


def _is_left_out(name: str, value: object, tool: Tool) -> bool:
    """Say whether a value stands for nothing: models like to fill in every property."""
    return value is None or (value == "" and name not in tool.required)


def _priority(word: str) -> int:
    try:
        return _PRIORITIES[word.strip().lower()]
    except KeyError:
        raise CallRefused(PRIORITY_ERROR) from None


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
