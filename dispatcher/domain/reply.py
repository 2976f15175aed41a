"""Judges what an agent said: text for the thread, or one of the ways to say nothing."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SILENCE_WORD: Final = "NOTHING_TO_ADD"
"""Our own word for "no answer needed". The gateway turns its ``NO_REPLY`` into a nameless 500."""

_HEARTBEAT_OK: Final = "HEARTBEAT_OK"
_NO_REPLY_WORDS: Final = frozenset({SILENCE_WORD, "NO_REPLY", "NO_"})
_PLACEHOLDERS: Final = (
    "No response from OpenClaw.",
    "No reply from agent.",
    "No response from agent.",
)
_LOADING: Final = re.compile(r"loading context for heartbeat(\.\.\.)?", re.IGNORECASE)
_MENTIONS: Final = re.compile(r"\A(@[\w-]+\s+)+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A named request of the agent that we are to run. ``arguments`` is JSON text."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that the turn cost, summed by the gateway over its model calls."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the agent said in one answer of the gateway.

    Attributes:
        text: Stripped; empty when nothing was said. Commentary is not part of it.
        is_incomplete: The model stopped at its output limit; the text is what it got to.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    is_incomplete: bool = False
    usage: Usage = Usage()


class Said(StrEnum):
    """What a reply comes to."""

    TEXT = "text"
    HEARTBEAT_OK = "heartbeat_ok"
    SILENCE = "silence"
    PLACEHOLDER = "placeholder"
    EMPTY = "empty"


NOTHING_USABLE: Final = frozenset({Said.SILENCE, Said.PLACEHOLDER, Said.EMPTY})
"""A required reply is asked for again after one of these."""


def judge(text: str, *, is_answer_to_agent: bool = False) -> Said:
    """Say what a reply's text comes to.

    Args:
        text: The final text of a turn.
        is_answer_to_agent: The turn was caused by an agent's message. Only then is a bare ``NO``
            the silence signal; a person's question can be answered with it.
    """
    said = text.strip()
    if not said:
        return Said.EMPTY
    bare = _without_dressing(said)
    if bare == _HEARTBEAT_OK or _is_heartbeat_after_loading(said):
        return Said.HEARTBEAT_OK
    if bare in _NO_REPLY_WORDS or (is_answer_to_agent and bare == "NO"):
        return Said.SILENCE
    if _MENTIONS.sub("", said, count=1) in _PLACEHOLDERS:
        return Said.PLACEHOLDER
    return Said.TEXT


def _without_dressing(text: str) -> str:
    """Take off emphasis, back-ticks and a full stop that a model likes to put around a token."""
    bare = text.strip("*`\n ").removesuffix(".").strip("*`\n ")
    # "NO_" is a token of its own, so underscores go only when they stand on both sides.
    while len(bare) > 2 and bare[0] == bare[-1] == "_":
        bare = bare[1:-1]
    return bare


def _is_heartbeat_after_loading(text: str) -> bool:
    *before, last = (line.strip() for line in text.splitlines() if line.strip())
    return last == _HEARTBEAT_OK and all(_LOADING.fullmatch(line) for line in before)
