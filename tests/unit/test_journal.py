"""The record of how far a delivery is: written whole, read back the same."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import NotificationId
from dispatcher.domain.journal import VERSION, Journal, Stage, dump, load
from dispatcher.domain.reply import Reply, ToolCall, Usage

texts = st.text(max_size=40)
filled = st.none() | st.text(min_size=1, max_size=40)
counts = st.integers(0, 2**53)
replies = st.builds(
    Reply,
    text=texts,
    tool_calls=st.lists(
        st.builds(ToolCall, call_id=texts, name=texts, arguments=texts), max_size=3
    ).map(tuple),
    is_incomplete=st.booleans(),
    usage=st.builds(Usage, input_tokens=counts, output_tokens=counts),
)
journals = st.builds(
    Journal,
    stage=st.sampled_from(Stage),
    session_key=filled,
    asks=counts,
    is_required=st.booleans(),
    is_answer_to_agent=st.booleans(),
    starts_work=st.booleans(),
    reply=st.none() | replies,
    post_key=filled,
    message=filled,
    outcome=filled,
    cause=filled,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([
    "v", "stage", "reply", "asks", "session_key", "is_required", "post_key", "cause", "text",
    "calls", "incomplete", "usage",
])  # fmt: skip
nearly_journals = st.dictionaries(names, json_values | st.sampled_from([1, "new", "asked"]))

ANSWERED = Journal(
    stage=Stage.ANSWERED,
    asks=1,
    reply=Reply(text="Grüße 👋", tool_calls=(ToolCall(call_id="c1", name="n", arguments="{}"),)),
    post_key=NotificationId("kd76etwbq16ee9kxtmgdxjj8274f30wv"),
)


@given(journal=journals)
def test_there_and_back_is_the_identity(journal: Journal) -> None:
    assert load(dump(journal)) == journal


def test_a_delivery_without_a_journal_is_new() -> None:
    assert load("") == Journal()
    assert Journal().stage is Stage.NEW


def test_the_record_is_plain_json_with_a_version_in_it() -> None:
    fields = json.loads(dump(ANSWERED))

    assert fields["v"] == VERSION
    assert fields["stage"] == "answered"
    assert "cause" not in fields


@given(text=st.text(alphabet=st.characters(), max_size=20) | st.just("cut \ud83d"))
def test_whatever_an_agent_said_can_be_stored_as_utf8(text: str) -> None:
    """A reply that cannot be stored is paid for and lost; half an emoji is enough."""
    record = dump(Journal(stage=Stage.ANSWERED, reply=Reply(text=text)))

    assert load(record.encode().decode()).reply is not None


@pytest.mark.parametrize("version", [VERSION + 1, 99, float(VERSION + 1)])
def test_a_newer_version_is_refused(version: float) -> None:
    newer = json.loads(dump(ANSWERED)) | {"v": version}

    with pytest.raises(JournalUnreadable, match=f"version {int(version)}"):
        load(json.dumps(newer))


def test_a_newer_version_with_an_unknown_form_is_refused() -> None:
    with pytest.raises(JournalUnreadable):
        load(json.dumps({"v": VERSION + 1, "stage": "dreaming"}))


def test_unknown_fields_are_ignored() -> None:
    """A worker of the same version with one more field can run beside this one."""
    fields = json.loads(dump(ANSWERED)) | {"mood": "good"}
    fields["reply"]["smell"] = ["of", "coffee"]

    assert load(json.dumps(fields)) == ANSWERED


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "null",
        "[]",
        "{}",
        '"new"',
        "{",
        '{"v": 1}',
        '{"v": null, "stage": "new"}',
        '{"v": 1, "stage": "dreaming"}',
        '{"v": 1, "stage": "answered", "reply": {}}',
        '{"v": 1, "stage": "answered", "reply": "hello"}',
        '{"v": 1, "stage": "answered", "reply": {"text": "", "calls": [[]], "usage": [0, 0], '
        '"incomplete": false}}',
    ],
)
def test_a_broken_record_is_unreadable(text: str) -> None:
    with pytest.raises(JournalUnreadable):
        load(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"v": 1e999, "stage": "new"}', id="endless-number"),
        pytest.param('{"v": 1, "stage": "new", "asks": Infinity}', id="infinity"),
        pytest.param("[" * 100_000, id="too-deep"),
    ],
)
def test_a_monstrous_record_is_unreadable(text: str) -> None:
    with pytest.raises(JournalUnreadable):
        load(text)


def read_or_refused(text: str) -> None:
    with suppress(JournalUnreadable):
        assert isinstance(load(text), Journal)


@given(text=st.text())
def test_any_text_is_a_journal_or_unreadable(text: str) -> None:
    read_or_refused(text)


@given(value=json_values | nearly_journals)
def test_any_json_is_a_journal_or_unreadable(value: object) -> None:
    read_or_refused(json.dumps(value))
