"""Whatever an agent gives a tool is arguments that can be sent on, or refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.reply import ToolCall
from dispatcher.domain.tools import Tool
from tests.fuzz.hostile import as_json, changed, few, json_values, spoilt, texts
from tests.fuzz.turn import take

SAMPLES = {"string": "review", "number": 3, "array": ["engineer", "lead"]}
tools = pytest.mark.parametrize("tool", EVERY_TOOL.values(), ids=list(EVERY_TOOL))


def arguments_of(tool: Tool) -> dict[str, Any]:
    return {name: SAMPLES[schema["type"]] for name, schema in tool.properties.items()} | {"x": {}}


@tools
@few
@given(arguments=texts | st.text(st.characters()) | json_values.map(as_json))
def test_any_text_is_arguments_or_refused(tool: Tool, arguments: str) -> None:
    take(ToolCall(call_id="c", name=tool.name, arguments=arguments), tool)


@tools
@few
@given(data=st.data())
def test_changed_arguments_are_arguments_or_refused(tool: Tool, data: st.DataObject) -> None:
    arguments = as_json(data.draw(changed(arguments_of(tool))))

    take(ToolCall(call_id="c", name=tool.name, arguments=arguments), tool)


@tools
def test_each_argument_may_be_spoilt(tool: Tool) -> None:
    for text in spoilt(arguments_of(tool)):
        take(ToolCall(call_id="c", name=tool.name, arguments=text), tool)
