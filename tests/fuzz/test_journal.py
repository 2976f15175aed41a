"""Whatever a record holds, it is read back the same or called unreadable."""

import json
from contextlib import suppress
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Blind, Journal, Stage, dump, load
from dispatcher.domain.notification import Flags
from dispatcher.domain.reply import Reply, ToolCall, Usage
from dispatcher.domain.rights import Rights
from dispatcher.domain.tools import ToolResult
from tests.fuzz.hostile import (
    as_json,
    changed,
    json_parts,
    json_values,
    mangled,
    many,
    some,
    spoilt,
    texts,
)
from tests.samples import ENGINEER, ROW, TASK

words = st.text(st.characters(), max_size=8)
filled = st.none() | st.text(st.characters(), min_size=1, max_size=8)
counts = st.integers(0, 2**60)
calls = st.builds(ToolCall, call_id=words, name=words, arguments=words)
rights = st.builds(
    Rights,
    agent=words,
    task=filled,
    is_orchestrator=st.booleans(),
    may_mark_done=st.booleans(),
    flags=st.builds(Flags, **{one.name: st.booleans() for one in fields(Flags)}),
)
replies = st.builds(
    Reply,
    text=words,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    is_incomplete=st.booleans(),
    usage=st.builds(Usage, input_tokens=counts, output_tokens=counts),
)
journals = st.builds(
    Journal,
    stage=st.sampled_from(Stage),
    session_key=filled,
    asks=counts,
    answers=counts,
    shown_ms=counts,
    is_required=st.booleans(),
    is_answer_to_agent=st.booleans(),
    starts_work=st.booleans(),
    rights=st.none() | rights,
    reply=st.none() | replies,
    rounds=counts,
    results=st.lists(st.builds(ToolResult, call_id=words, name=words, text=words), max_size=2).map(
        tuple
    ),
    calls_begun=counts,
    requests=counts,
    said=words,
    attempts_spent=counts,
    post_key=filled,
    blind=st.none() | st.sampled_from(Blind),
    task=filled,
    message=filled,
    outcome=filled,
    cause=filled,
)
RICH = Journal(
    stage=Stage.TOOLS,
    session_key=SessionKey("task:t:agent:engineer:acc:v1"),
    asks=2,
    answers=2,
    rights=Rights(
        agent=ENGINEER, task=TASK, is_orchestrator=True, may_mark_done=False, flags=Flags()
    ),
    reply=Reply(
        text="Grüße 👋",
        tool_calls=(ToolCall(call_id="c1", name="task_status", arguments="{}"),),
        usage=Usage(input_tokens=3, output_tokens=4),
    ),
    results=(ToolResult(call_id="c1", name="task_status", text="{}"),),
    calls_begun=1,
    post_key=ROW,
    blind=Blind.SENT,
    outcome="replied",
)
RICH_FACTS = json.loads(dump(RICH))


def load_or_refuse(text: str) -> None:
    with suppress(JournalUnreadable):
        assert isinstance(load(text), Journal)


@some
@given(journal=journals)
def test_every_journal_comes_back(journal: Journal) -> None:
    assert load(dump(journal)) == journal


@many
@given(text=texts | json_values.map(as_json) | changed(RICH_FACTS).map(as_json))
def test_any_record_is_a_journal_or_unreadable(text: str) -> None:
    load_or_refuse(text)


@some
@given(record=mangled(dump(RICH).encode(), json_parts))
def test_a_damaged_record_is_a_journal_or_unreadable(record: bytes) -> None:
    load_or_refuse(record.decode("utf-8", "surrogateescape"))


def test_each_member_of_a_record_may_be_spoilt() -> None:
    for text in spoilt(RICH_FACTS):
        load_or_refuse(text)
