"""What of a gateway's answer is the reply."""

from typing import Any

import pytest

from dispatcher.domain.reply import Reply, ToolCall
from tests.adapters.gateway_desk import Desk, read, response, said


def test_a_reply_comes_back(desk: Desk) -> None:
    """The plainest promise of all."""
    assert desk.ask("[[reply:The build is green.]]") == Reply(
        text="The build is green.", usage=desk.ask("[[reply:The build is green.]]").usage
    )


def test_commentary_is_not_part_of_the_reply(desk: Desk) -> None:
    """What a model says beside its work is not for the thread."""
    assert desk.ask("[[commentary:Let me look.]][[reply:Green.]]").text == "Green."


def test_usage_is_counted(desk: Desk) -> None:
    """Tokens cost money."""
    usage = desk.ask("[[reply:Green.]]").usage

    assert usage.input_tokens > 1000
    assert usage.output_tokens >= 1


def test_an_incomplete_reply_is_marked(desk: Desk) -> None:
    """The text is what the model got to before its limit."""
    reply = desk.ask("[[incomplete]][[reply:Half a]]")

    assert reply.is_incomplete
    assert reply.text.startswith("Half a")


def test_item_73_several_messages_and_parts_are_joined() -> None:
    """In the gateway's order, each stripped, blanks left out."""
    parts = [{"type": "output_text", "text": text} for text in (" a ", "  ", "b\n")]

    reply = read(response(said("x", content=parts), said("  "), said("c", content=" plain ")))

    assert reply.text == "a\nb\n\nplain"


def test_item_73_tool_calls_are_read_in_order() -> None:
    """Arguments come as text; an object is serialised, nothing is an empty text."""
    reply = read(
        response(
            said("I shall look.", phase="commentary"),
            {"type": "function_call", "call_id": "c1", "name": "a", "arguments": '{"x": 1}'},
            {"type": "function_call", "call_id": "c2", "name": "b", "arguments": {"ä": [1, None]}},
            {"type": "function_call", "call_id": "c3", "name": "c"},
        )
    )

    assert reply.tool_calls == (
        ToolCall(call_id="c1", name="a", arguments='{"x": 1}'),
        ToolCall(call_id="c2", name="b", arguments='{"ä": [1, null]}'),
        ToolCall(call_id="c3", name="c", arguments=""),
    )
    assert reply.text == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"call_id": ""},
        {"call_id": None},
        {"call_id": 5},
        {"name": ""},
        {"name": None},
        {"name": []},
    ],
)
def test_item_73_a_tool_call_without_id_or_name_is_dropped(wrong: dict[str, Any]) -> None:
    """It could be neither run nor answered."""
    call = {"type": "function_call", "call_id": "c1", "name": "a", "arguments": "{}"}

    assert read(response(said("Done."), call | wrong)).tool_calls == ()


def test_an_older_gateway_says_incomplete_with_tool_calls() -> None:
    """Nothing was cut then."""
    call = {"type": "function_call", "call_id": "c1", "name": "a", "arguments": "{}"}

    reply = read(response(call, status="incomplete"))

    assert len(reply.tool_calls) == 1
    assert not reply.is_incomplete


@pytest.mark.parametrize(
    "output",
    [
        [None, 5, "x", []],
        [{"type": "reasoning", "content": "hm"}],
        [{"type": "message"}],
        [{"type": "message", "content": {"a": 1}}],
        [{"type": "message", "content": [None, 5, {"text": 5}, {"text": None}]}],
        [{"type": ["message"], "content": "x"}],
    ],
)
def test_strange_items_say_nothing(output: list[Any]) -> None:
    """An unknown item of a newer gateway must not stop the reply beside it."""
    assert read(response(*output, said("Done."))).text == "Done."


@pytest.mark.parametrize(
    "usage",
    [None, 5, [], {}, {"input_tokens": "5"}, {"input_tokens": -1}, {"input_tokens": 1e300},
     {"input_tokens": float("nan")}, {"input_tokens": None}],
)  # fmt: skip
def test_a_strange_usage_counts_nothing(usage: object) -> None:
    """A reply is worth more than its price tag."""
    reply = read(response(said("Done."), usage=usage))

    assert (reply.text, reply.usage.input_tokens) == ("Done.", 0)
