"""The record of how far a delivery is: written whole, read back the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import NotificationId
from dispatcher.domain.journal import VERSION, Journal, Stage, dump, load
from dispatcher.domain.reply import Reply, ToolCall

ANSWERED = Journal(
    stage=Stage.ANSWERED,
    asks=1,
    reply=Reply(text="Grüße 👋", tool_calls=(ToolCall(call_id="c1", name="n", arguments="{}"),)),
    post_key=NotificationId("kd76etwbq16ee9kxtmgdxjj8274f30wv"),
)


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
