"""What the agents say, as plans, and the markers in a message that ask for one."""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final

FAULTS: Final = frozenset({
    "hang", "garbage", "brokenjson", "failed", "incomplete", "silence", "drop",
})  # fmt: skip
ECHO_CHARACTERS: Final = 200

_START: Final = "===== REQUEST TO RESPOND TO START ====="
_END: Final = "===== REQUEST TO RESPOND TO END ====="
_MARKER: Final = re.compile(r"\[\[([a-z_]+)(?::(.*?))?\]\]", re.DOTALL)
_TOOL: Final = re.compile(r"\[\[tool:\s*([^\s\]{]+)\s*")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A tool call that an agent makes."""

    name: str
    arguments: dict[str, Any]

    @property
    def body(self) -> bytes:
        """Return the arguments as the body of a request."""
        return json.dumps(self.arguments).encode()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one ask is played.

    Attributes:
        delay_s: How long the run takes; None for the gateway's default.
        reply: The final text; None for the echo.
        commentary: Text beside the reply that is not the reply.
        fault: One of ``FAULTS``, or ``"error:<what>"``.
        times: How many asks the fault is played for; None for all.
        calls: Tool calls, all in one output.
        rounds: How often the calls are made before the reply.
        markers: The markers as they stood, the name under which faults are counted.
    """

    delay_s: float | None = None
    reply: str | None = None
    commentary: str | None = None
    fault: str | None = None
    times: int | None = None
    calls: tuple[Call, ...] = ()
    rounds: int = 1
    markers: str = ""


def text_to_respond_to(prompt: str) -> str:
    """Find the latest message in a prompt, so that old messages in it are left alone."""
    lines = prompt.splitlines()
    stripped = [line.strip() for line in lines]
    if _START in stripped:
        first = len(stripped) - stripped[::-1].index(_START)
        last = stripped.index(_END, first) if _END in stripped[first:] else len(lines)
        return "\n".join(lines[first:last]).strip()
    return next((line for line in reversed(stripped) if line), "")


def echo(prompt: str) -> str:
    """Quote the latest message in one short sentence, without its markers and mentions.

    A mention in the answer would notify an agent, whose echo would mention it again, for ever.
    """
    plain = _without_markers(text_to_respond_to(prompt)).replace("@", "")
    return f"Done: {' '.join(plain.split())[:ECHO_CHARACTERS]}" if plain.strip() else "Done."


def plan_of_text(text: str) -> Plan:
    """Read the markers of one message."""
    calls, rest = _take_calls(text)
    plan = Plan(calls=tuple(calls), markers="".join(re.findall(r"\[\[.*?\]\]", text, re.DOTALL)))
    for name, argument in _MARKER.findall(rest):
        plan = _with_marker(plan, name, argument)
    return plan


def _with_marker(plan: Plan, name: str, argument: str) -> Plan:
    """Add one marker; a word in brackets that is none of ours changes nothing."""
    try:
        match name:
            case "delay":
                return replace(plan, delay_s=float(argument))
            case "times":
                return replace(plan, times=int(argument))
            case "rounds":
                return replace(plan, rounds=int(argument))
            case "reply":
                return replace(plan, reply=argument)
            case "commentary":
                return replace(plan, commentary=argument)
            case "heartbeat_ok":
                return replace(plan, reply="HEARTBEAT_OK")
            case _:
                return _with_fault(plan, name, argument)
    except ValueError:
        return plan


def _with_fault(plan: Plan, name: str, argument: str) -> Plan:
    if name == "error":
        return replace(plan, fault=f"error:{argument.strip()}")
    return replace(plan, fault=name) if name in FAULTS else plan


def _take_calls(text: str) -> tuple[list[Call], str]:
    """Take the tool markers out of a text; their JSON may contain brackets of its own."""
    calls: list[Call] = []
    rest: list[str] = []
    position = 0
    while (found := _TOOL.search(text, position)) is not None:
        arguments, end = _arguments(text, found.end())
        rest.append(text[position : found.start()])
        calls.append(Call(name=found.group(1), arguments=arguments))
        position = end
    return calls, "".join([*rest, text[position:]])


def _arguments(text: str, start: int) -> tuple[dict[str, Any], int]:
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        value, end = {}, start
    close = text.find("]]", end)
    return (value if isinstance(value, dict) else {}), (len(text) if close < 0 else close + 2)


def _without_markers(text: str) -> str:
    return _MARKER.sub("", _take_calls(text)[1])
