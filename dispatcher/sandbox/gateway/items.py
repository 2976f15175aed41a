"""The items of ``input``, and the turn that is read out of them."""

from collections.abc import Mapping
from typing import Any, Final

from dispatcher.sandbox.gateway.checks import BadRequest, Undefined

# Tuples, because what is looked up in them may be anything, also something unhashable.
_ROLES: Final = ("user", "assistant", "system", "developer")
_PART_TYPES: Final = ("input_text", "output_text")


def read_turn(given: str | list[dict[str, Any]]) -> tuple[str, tuple[str, ...]]:
    """Find the turn: the last user message, or the tool results that stand after it."""
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}] if given else []
    outputs: list[tuple[str, str]] = []
    message: str | None = None
    for item in given:
        if item["type"] == "function_call_output":
            outputs.append((item["call_id"], item["output"]))
        elif item["type"] == "message" and item["role"] == "user":
            message, outputs = _content(item["content"]), []
    if outputs:
        seen = "\n".join(f"Tool:{call_id}: {output}" for call_id, output in outputs)
        return seen, tuple(output for _, output in outputs)
    if message is None:
        raise BadRequest("Missing user message in `input`.")
    return message, ()


def _content(content: str | list[dict[str, str]]) -> str:
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content)


def check_input(value: object, path: str) -> None:
    """Check ``input``; the gateway does not say what is wrong inside it."""
    if isinstance(value, Undefined):
        raise BadRequest(f"{path}: Invalid input")
    if isinstance(value, str):
        return
    if not (isinstance(value, list) and all(_is_item(item) for item in value)):
        raise BadRequest(f"{path}: Invalid input")


def _is_item(item: object) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        return False
    rest = {name: value for name, value in item.items() if name != "type"}
    match item["type"]:
        case "message":
            return _is_message(rest)
        case "function_call":
            rest.pop("id", None)
            return rest.keys() == {"call_id", "name", "arguments"} and _all_strings(rest)
        case "function_call_output":
            return rest.keys() == {"call_id", "output"} and _all_strings(rest)
        case _:
            return False


def _is_message(rest: dict[str, Any]) -> bool:
    content, role = rest.get("content"), rest.get("role")
    if rest.keys() - {"phase"} != {"role", "content"} or role not in _ROLES:
        return False
    if isinstance(content, str):
        return True
    return isinstance(content, list) and all(_is_part(part) for part in content)


def _is_part(part: object) -> bool:
    return (
        isinstance(part, dict)
        and part.keys() == {"type", "text"}
        and part["type"] in _PART_TYPES
        and isinstance(part["text"], str)
    )


def _all_strings(fields: Mapping[str, object]) -> bool:
    return all(isinstance(value, str) for value in fields.values())
