"""The strict schema of ``POST /v1/responses``, with the messages of the real gateway."""

from dataclasses import dataclass
from typing import Any, Final

from dispatcher.sandbox.gateway.checks import (
    UNDEFINED,
    BadRequest,
    Check,
    Nameless,
    ToolConflict,
    a_count,
    an_object,
    between,
    check_shape,
    one_of,
    typed,
    wrong,
)
from dispatcher.sandbox.gateway.items import check_input, read_turn

_BUILT_IN: Final = frozenset({
    "apply_patch", "browser", "cron", "edit", "exec", "gateway", "image", "message", "process",
    "read", "session_status", "sessions_send", "sessions_spawn", "web_fetch", "web_search", "write",
})  # fmt: skip
_CHOICES: Final = frozenset({"auto", "none", "required"})


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One checked request.

    Attributes:
        model: As it was sent; the answer echoes it.
        text: The last user message, or the tool results as the model would see them.
        instructions: What the agent is told to be.
        outputs: The texts of the tool results when the turn is made of them, else empty.
        tools: Names of the tools that are offered to the model.
        forced: The tool that must be called, ``"*"`` for any, None for no such wish.
        user: The lasting session that ``user`` asks for, or None.
        previous: The response whose session goes on, or None.
        stream: Whether the client wants events.
    """

    model: str
    text: str
    instructions: str
    outputs: tuple[str, ...]
    tools: tuple[str, ...]
    forced: str | None
    user: str | None
    previous: str | None
    stream: bool


def parse(body: object) -> Ask:
    """Check a request body and read the turn out of it.

    Raises:
        BadRequest: The schema refuses it, there is no user message, or ``tool_choice`` is
            impossible.
        ToolConflict: Two tools of one name, or a built-in name.
        Nameless: The turn is made of blanks.
    """
    fields = an_object(body, "")
    check_shape(fields, _FIELDS, "", required=("model", "input"))
    text, outputs = read_turn(fields["input"])
    if not text.strip():
        raise Nameless
    names = [str(tool["name"]) for tool in fields.get("tools", [])]
    choice = fields.get("tool_choice", "auto")
    forced = _forced(choice)
    _check_tools(names, forced)
    return Ask(
        model=fields["model"],
        text=text,
        instructions=fields.get("instructions") or "",
        outputs=outputs,
        tools=() if choice == "none" else tuple(names),
        forced=forced,
        user=fields.get("user"),
        previous=fields.get("previous_response_id"),
        stream=bool(fields.get("stream")),
    )


def _forced(choice: object) -> str | None:
    if isinstance(choice, dict):
        return str(choice.get("name") or choice["function"]["name"])
    return "*" if choice == "required" else None


def _check_tools(names: list[str], forced: str | None) -> None:
    if forced is not None and (forced not in names if forced != "*" else not names):
        raise BadRequest("invalid tool configuration")
    if len(set(names)) < len(names) or not _BUILT_IN.isdisjoint(names):
        raise ToolConflict


def _metadata(value: object, path: str) -> None:
    for name, text in an_object(value, path).items():
        if not isinstance(text, str):
            wrong(f"{path}.{name}", "string", text)


def _plain_text(value: object, path: str) -> None:
    if _object_of(value, path, "format").get("type") != "text":
        raise BadRequest(f'{path}.format.type: Invalid input: expected "text"')


def _object_of(value: object, path: str, name: str) -> dict[str, Any]:
    return an_object(an_object(value, path).get(name, UNDEFINED), f"{path}.{name}")


def _tool_name(value: object, path: str) -> None:
    if not isinstance(value, str):
        wrong(path, "string", value)
    if not value:
        raise BadRequest(f"{path}: Tool name cannot be empty")


def _function(value: object, path: str) -> None:
    if value != "function":
        raise BadRequest(f'{path}: Invalid input: expected "function"')


def _tools(value: object, path: str) -> None:
    if not isinstance(value, list):
        wrong(path, "array", value)
    for index, tool in enumerate(value):
        where = f"{path}.{index}"
        check_shape(an_object(tool, where), _TOOL, where, required=("type", "name"))


def _tool_choice(value: object, path: str) -> None:
    if isinstance(value, str) and value in _CHOICES:
        return
    if isinstance(value, dict) and value.get("type") == "function":
        inner = value.get("function", value)
        if isinstance(inner, dict) and isinstance(inner.get("name"), str) and inner["name"]:
            return
    raise BadRequest(f"{path}: Invalid input")


_TOOL: Final[dict[str, Check]] = {
    "type": _function,
    "name": _tool_name,
    "description": typed("string"),
    "parameters": typed("object"),
    "strict": typed("boolean"),
}
_FIELDS: Final[dict[str, Check]] = {
    "model": typed("string"),
    "input": check_input,
    "instructions": typed("string"),
    "tools": _tools,
    "tool_choice": _tool_choice,
    "stream": typed("boolean"),
    "max_output_tokens": a_count,
    "max_tool_calls": a_count,
    "user": typed("string"),
    "temperature": between(0, 2),
    "top_p": between(0, 1),
    "metadata": _metadata,
    "store": typed("boolean"),
    "previous_response_id": typed("string"),
    "reasoning": typed("object"),
    "truncation": one_of("auto", "disabled"),
    "text": _plain_text,
}
