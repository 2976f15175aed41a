"""Go on with what was read as a turn does: what one parser lets through must not break the next."""

import json
from datetime import timedelta

from dispatcher.adapters.answers import read_answer
from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.errors import GatewayError
from dispatcher.domain.notification import Context
from dispatcher.domain.policy import Decision, decide, missed_message, requires_reply
from dispatcher.domain.prompt import Reach, build_instructions, build_prompt
from dispatcher.domain.reply import Said, ToolCall, judge
from dispatcher.domain.tools import CallRefused, Tool, read_arguments, refusal_of
from dispatcher.prompts import render


def tell(context: Context) -> None:
    """Go on with a context as a turn does."""
    assert isinstance(decide(context), Decision)
    requires_reply(context)
    missed_message(context, seen_ms=0)
    for reach in (Reach(base_url="http://r"), Reach(base_url="http://r", token="turn_x")):
        for flag in (True, False):
            said = build_instructions(
                context, render, reach=reach, may_stay_silent=flag, is_repeated=flag
            )
            assert as_utf8(said)
    assert as_utf8(build_prompt(context, render))


def as_utf8(text: str) -> bytes:
    """Write a text as it is sent: half an emoji cannot be."""
    return text.encode()


def hear(status: int, content: bytes, wish: timedelta | None = None) -> None:
    """Go on with an answer of the gateway as a turn does."""
    reply, problem = None, ""
    try:
        reply = read_answer(status, content, retry_after=wish)
    except GatewayError as error:
        problem = str(error)
    assert len(problem) < 600
    if reply is not None:
        as_utf8(reply.text)
        for flag in (True, False):
            assert judge(reply.text, is_answer_to_agent=flag) in Said
        for call in reply.tool_calls:
            take(call, EVERY_TOOL.get(call.name, EVERY_TOOL["task_load"]))


def take(call: ToolCall, tool: Tool) -> None:
    """Read a call's arguments; what is read can be sent on."""
    try:
        found = read_arguments(call, tool)
    except CallRefused as refused:
        as_utf8(refusal_of(call, str(refused)).text)
    else:
        assert found.keys() <= tool.properties.keys()
        as_utf8(json.dumps(found, ensure_ascii=False, allow_nan=False))
