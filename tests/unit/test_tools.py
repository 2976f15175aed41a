"""The catalogue of tools: who is offered what, how arguments are read, how results are written."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.catalogue import EVERY_TOOL, offered
from dispatcher.domain.notification import Flags
from dispatcher.domain.reply import ToolCall
from dispatcher.domain.rights import rights_of
from dispatcher.domain.tools import (
    RESULT_LIMIT,
    CallRefused,
    Tool,
    read_arguments,
    refusal_of,
    result_of,
)
from tests.fakes.tools import EVERY_FLAG, call, create
from tests.samples import ENGINEER, TASK, context, task

NO_FLAG = Flags(can_modify_task_status=False, can_create_documents=False, can_mention_agents=False)
VOCABULARY = {"type", "properties", "items", "enum", "required", "description"}
TYPES = {"object", "string", "number", "array"}


def names(**facts: Any) -> list[str]:
    return [tool.name for tool in offered(rights_of(context(**facts)))]


def tool(name: str, **facts: Any) -> Tool:
    found = offered(rights_of(context(**({"flags": EVERY_FLAG} | facts))))
    return next(one for one in found if one.name == name)


def create_with(arguments: str) -> ToolCall:
    return ToolCall(call_id="c", name="task_create", arguments=arguments)


# Who is offered what


def test_item_103_without_flags_and_task_only_looking_is_offered() -> None:
    assert names(flags=NO_FLAG, task=None) == ["get_agent_skills", "task_load"]


@pytest.mark.parametrize(
    ("flags", "has_task", "more"),
    [
        ({}, True, ["document_list", "task_history"]),
        ({"can_modify_task_status": True}, True,
            ["task_status", "task_update", "document_list", "task_history"]),
        ({"can_modify_task_status": True}, False, []),
        ({"can_create_tasks": True}, False, ["task_create"]),
        ({"can_create_documents": True}, False, ["document_upsert", "document_list"]),
        ({"can_mention_agents": True}, True,
            ["document_list", "response_request", "task_history"]),
        ({"can_mention_agents": True}, False, []),
        ({"can_review_tasks": True, "can_mark_done": True}, False, []),
    ],
)  # fmt: skip
def test_item_104_task_and_rights_decide_what_is_offered(
    flags: dict[str, bool], has_task: bool, more: list[str]
) -> None:
    facts = {} if has_task else {"task": None}

    found = names(flags=replace(NO_FLAG, **flags), **facts)

    assert sorted(found) == sorted([*more, "get_agent_skills", "task_load"])


def test_item_105_the_orchestrator_gets_eight_more_in_their_order() -> None:
    flags = replace(EVERY_FLAG, can_mention_agents=True)

    assert names(flags=flags, orchestrator=ENGINEER) == [
        "task_status", "task_update", "task_create", "document_upsert", "document_list",
        "response_request", "get_agent_skills", "task_load", "task_history", "task_assign",
        "task_message", "task_list", "task_get", "task_thread", "task_search", "task_delete",
        "task_link_pr",
    ]  # fmt: skip
    assert set(names(flags=flags, orchestrator=ENGINEER)) == set(EVERY_TOOL)


@pytest.mark.parametrize("may", [True, False])
def test_item_106_only_who_may_mark_done_is_offered_done(may: bool) -> None:
    in_review = task(status="review")

    statuses = tool("task_status", flags=Flags(can_mark_done=may), task=in_review)

    expected = ["in_progress", "review", *(["done"] if may else []), "blocked"]
    assert statuses.properties["status"]["enum"] == expected
    early = tool("task_status", flags=Flags(can_mark_done=may))
    assert "done" not in early.properties["status"]["enum"]


def test_item_107_schemas_keep_to_the_words_that_every_provider_takes() -> None:
    for one in offered(rights_of(context(flags=EVERY_FLAG, orchestrator=ENGINEER))):
        assert set(one.parameters) == {"type", "properties", "required"}
        assert set(one.required) <= set(one.properties)
        assert one.description
        for schema in one.properties.values():
            assert set(schema) <= VOCABULARY
            assert schema["type"] in TYPES


# Arguments


@pytest.mark.parametrize(
    "text", ["{", "nonsense", "[]", '"text"', "3", "[" * 5000, "null", "\ud800"]
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(CallRefused, match="Invalid JSON arguments"):
        read_arguments(create_with(text), tool("task_create"))


def test_missing_arguments_are_an_empty_object() -> None:
    empty = ToolCall(call_id="c", name="task_create", arguments="")

    assert read_arguments(empty, tool("task_create")) == {}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("task_create", {"title": 5}),
        ("task_create", {"title": ["a"]}),
        ("task_create", {"title": "a", "priority": "urgent"}),
        ("task_create", {"title": "a", "priority": True}),
        ("task_create", {"title": "a", "priority": [3]}),
        ("task_create", {"title": "a", "labels": "build"}),
        ("task_create", {"title": "a", "labels": ["build", 3]}),
        ("task_create", {"title": "a", "labels": [None]}),
        ("task_create", {"title": "a", "dueDate": "tomorrow"}),
        ("task_create", {"title": "a", "status": 1}),
        ("task_status", {"taskId": 7, "status": "review"}),
        ("task_status", {"taskId": TASK, "status": {"to": "review"}}),
        ("task_status", {"taskId": TASK, "status": "blocked", "blockedReason": 3}),
        ("document_upsert", {"title": "a", "content": {"md": "b"}, "type": "note"}),
        ("document_upsert", {"documentId": 3, "title": "a", "content": "b", "type": "note"}),
    ],
)
def test_item_117_a_wrong_type_is_refused_with_the_name_of_its_argument(
    name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(CallRefused) as caught:
        read_arguments(call(name, **arguments), tool(name))

    assert any(argument in str(caught.value) for argument in arguments)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    text = f'{{"title": "a", "dueDate": {number}}}'

    with pytest.raises(CallRefused):
        read_arguments(create_with(text), tool("task_create"))


def test_null_counts_as_not_given() -> None:
    given = read_arguments(call("task_create", title="a", priority=None), tool("task_create"))

    assert given == {"title": "a"}


def test_arguments_that_nobody_asked_for_are_left_out() -> None:
    """The backend refuses a call with a field that it does not know."""
    given = read_arguments(call("task_create", title="a", colour="red"), tool("task_create"))

    assert given == {"title": "a"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_a_model_sends_is_read_or_refused(value: Any) -> None:
    for arguments in (value, {"title": value}, {"title": "a", "labels": value, "priority": value}):
        sent = ToolCall(call_id="c", name="task_create", arguments=json.dumps(arguments))
        try:
            given = read_arguments(sent, tool("task_create"))
        except CallRefused:
            continue
        assert isinstance(given.get("title", ""), str)
        assert all(isinstance(label, str) for label in given.get("labels", []))


# Results


def test_a_result_names_its_tool() -> None:
    """With several results the model sees nothing else that tells them apart."""
    result = result_of(create(), {"success": True, "taskId": "t9"})

    assert json.loads(result.text) == {"tool": "task_create", "success": True, "taskId": "t9"}
    assert (result.call_id, result.name) == ("c1", "task_create")


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("character", ["x", '"', "\\", "é", "\u2028", "🙂"])
def test_a_result_that_is_too_large_is_cut_and_stays_json_and_true(
    is_done: bool, character: str
) -> None:
    content = {"success": is_done, "found": [{"title": character * 2_000}] * 100}

    result = result_of(create(), content)

    assert len(result.text) <= RESULT_LIMIT
    told = json.loads(result.text)
    assert (told["tool"], told["success"]) == ("task_create", is_done)
    assert told["cut"] is True


@pytest.mark.parametrize("length", [200, 63_990, 64_000, 200_000])
def test_a_name_without_end_does_not_keep_us_for_ever(length: int) -> None:
    wild = ToolCall(call_id="c1", name="x" * length, arguments="{}")

    assert json.loads(refusal_of(wild, "Unknown tool").text)["success"] is False


def test_a_refusal_is_short_and_says_why() -> None:
    told = json.loads(refusal_of(create(), "no " * 1_000).text)

    assert told["success"] is False
    assert told["error"].startswith("no no no")
    assert len(told["error"]) <= 401
