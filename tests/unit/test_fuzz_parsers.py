"""Whatever comes from outside is read, or refused by an error of ours: never anything else."""

import copy
import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous.encoding import base64_encode
from pydantic import SecretStr

from dispatcher.adapters.answers import read_answer
from dispatcher.adapters.convex_actions import ConvexActions
from dispatcher.adapters.convex_errors import WORDS, function_error, http_error, parsed
from dispatcher.adapters.gateway import _wish
from dispatcher.adapters.gateway_state import GatewayState, state_of
from dispatcher.adapters.http_connection import Answer, BodyTooLarge
from dispatcher.adapters.turn_tokens import PREFIX, Pass, TokenRefused, TurnTokens
from dispatcher.adapters.wire import read_member, read_page, read_upgrade
from dispatcher.adapters.wire_context import read_context, read_members
from dispatcher.adapters.wire_profiles import read_profiles
from dispatcher.adapters.wire_tasks import read_tasks, read_thread
from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.errors import (
    BackendGarbled,
    GatewayError,
    JournalUnreadable,
    SettingsInvalid,
)
from dispatcher.domain.ids import SessionKey, decode_document_id, encode_document_id
from dispatcher.domain.journal import Blind, Journal, Stage, dump, load
from dispatcher.domain.notification import Context, Flags
from dispatcher.domain.policy import Decision, decide, missed_message, requires_reply
from dispatcher.domain.prompt import Reach, build_instructions, build_prompt
from dispatcher.domain.reply import Reply, Said, ToolCall, Usage, judge
from dispatcher.domain.rights import Rights
from dispatcher.domain.tools import CallRefused, Tool, ToolResult, read_arguments, refusal_of
from dispatcher.prompts import render
from dispatcher.settings import Settings, known_names, load_settings, misspelt_names
from tests.fakes.clock import ManualClock
from tests.fakes.environment import ACCOUNT, REQUIRED
from tests.samples import ENGINEER, LEAD, MESSAGE, ROW, TASK, WRITER

Reader = Callable[[Any], object]

few = settings(max_examples=40, deadline=None)
some = settings(max_examples=100, deadline=None)
many = settings(max_examples=200, deadline=None)

# What may come

MONSTERS = {
    "<never closed>": "[" * 100_000,
    "<deep list>": "[" * 400 + "]" * 400,
    "<deep object>": '{"a":' * 400 + "1" + "}" * 400,
    "<longest number>": "9" * 5_000,
    "<beyond all numbers>": "-1e999",
}
"""JSON that Python cannot write, by what stands for it until it is written."""

HOSTILE = [
    *MONSTERS.values(), "null", "true", "false", "-1", "0", "0.5", "1e308", "1e-320", "NaN",
    "Infinity", "-Infinity", "1" + "0" * 400, "-" + "9" * 4_000, "9007199254740993",
    "253402300799999.9", '""', '" "', '"1"', r'"\ud83d"', r'"\u0000"', f'"{"x" * 9_000}"', "[]",
    "{}", "[null]", "[[]]", '[{"a": []}]', '{"": null}', r'{"\ud83d": "\udc4b"}',
]  # fmt: skip
numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([-1, 0, 1, 2**53, 2**64, 10**400, -(10**4_000), 1e308, 253_402_300_799_999])
)
texts = st.text(st.characters(), max_size=12) | st.sampled_from([
    "", " ", "\0", "\x1b[2J", "\ud83d", "\udc4b\ud83d", "a\udc00b", "\u2028", "\u202e", "👋", "٣",
    "1", "-1", "1e999", "@all", "@engineer", "=====", "```", "user", "agent", "review", "done",
    "thread_update", "mention", "urgent", "system:orchestrator-chat", "completed", "failed", "NO_",
    "*HEARTBEAT_OK*", ENGINEER, MESSAGE, "x" * 9_000,
])  # fmt: skip
scalars = st.none() | st.booleans() | numbers | texts | st.sampled_from(sorted(MONSTERS))
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def as_json(document: object) -> str:
    text = json.dumps(document)
    for mark, monster in MONSTERS.items():
        text = text.replace(json.dumps(mark), monster)
    return text


def spots_of(document: object) -> Iterator[tuple[Any, Any]]:
    """Find every node below the root, as what holds it and where."""
    if isinstance(document, dict | list):
        keys = list(document) if isinstance(document, dict) else range(len(document))
        for key in keys:
            yield document, key
            yield from spots_of(document[key])


def put_beside(holder: Any, key: Any, node: object) -> None:
    if isinstance(holder, list):
        holder.insert(key, node)
    else:
        holder[key] = node


def like(node: object) -> st.SearchStrategy[Any]:
    """Draw what is of the same kind, so that it is not refused at once."""
    if isinstance(node, str):
        return texts
    return numbers if isinstance(node, int | float) else json_values


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """Change a good document in a few places."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        spots = list(spots_of(document))
        if not spots:
            break
        holder, key = draw(st.sampled_from(spots))
        match draw(st.sampled_from("llllllrrmdct")):
            case "l":
                holder[key] = draw(like(holder[key]))
            case "r":
                holder[key] = draw(json_values)
            case "m":
                other, place = draw(st.sampled_from(spots))
                holder[key] = copy.deepcopy(other[place])
            case "d":
                del holder[key]
            case "c":
                place = key if isinstance(holder, list) else draw(st.sampled_from(sorted(holder)))
                put_beside(holder, place, copy.deepcopy(holder[key]))
            case _:
                document = holder[key]
    return document


@st.composite
def mangled(draw: st.DrawFn, good: bytes, parts: st.SearchStrategy[bytes]) -> bytes:
    """Cut pieces out of good bytes, and put others in."""
    data = good
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(data))), draw(st.sampled_from([0, 0, 1, 2, 9, 50]))
        data = data[:at] + draw(parts) + data[at + length :]
    return data


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


json_bytes = json_values.map(as_json).map(as_bytes)
json_parts = st.binary(max_size=4) | st.sampled_from([
    b"", b"[", b"}", b'"', b",", b"null", b"NaN", b"-Infinity", b"1e999", b"\\ud83d", b"\\u0000",
    b"\xed\xa0\xbd", b"\xef\xbb\xbf", b"\xff\xfe", b"9" * 5_000,
])  # fmt: skip
any_bytes = st.binary(max_size=40) | texts.map(as_bytes) | json_bytes


def deep_lists() -> list[str]:
    """Make lists of about the greatest depth that can be read from here."""
    low, high = 1, 20_000
    while low < high:
        middle = (low + high + 1) // 2
        try:
            json.loads("[" * middle + "]" * middle)
        except RecursionError:
            high = middle - 1
        else:
            low = middle
    return ["[" * depth + "]" * depth for depth in range(low - 12, low + 1)]


def spoilt(good: Any) -> Iterator[str]:
    """Put each hostile value into each place of a good document, one at a time; then nothing."""
    values = [*HOSTILE, *deep_lists()]
    yield from values
    for number in range(len(list(spots_of(good)))):
        document = copy.deepcopy(good)
        holder, key = list(spots_of(document))[number]
        holder[key] = "<here>"
        text = json.dumps(document)
        yield from (text.replace('"<here>"', value) for value in values)
        del holder[key]
        yield json.dumps(document)


# The backend

FLAGS = {"canCreateTasks": True, "canModifyTaskStatus": True, "canCreateDocuments": True,
         "canMentionAgents": True, "canReviewTasks": False, "canMarkDone": True}  # fmt: skip
ROW_FACTS = {
    "_id": ROW, "_creationTime": 1767225600123.4568, "type": "thread_update",
    "recipientType": "agent", "recipientId": ENGINEER, "taskId": TASK, "messageId": MESSAGE,
    "title": "Alice wrote", "body": "In a task", "createdAt": 1767225600120.0, "deliveredAt": None,
}  # fmt: skip
THREAD = [
    {"messageId": MESSAGE, "authorType": "user", "authorId": "u1", "authorName": "Alice",
     "content": "@engineer please check the build.", "createdAt": 1767225600120.0},
    {"messageId": "m2", "authorType": "agent", "authorId": LEAD, "authorName": None,
     "content": "Is it `red`?", "createdAt": 1767225600999.0},
]  # fmt: skip
MEMBERS = [
    {"_id": agent, "name": name, "slug": name.lower(), "role": "Dev", "heartbeatInterval": 15.0,
     "systemSessionKey": f"system:agent:{name}:acc:v1", "effectiveBehaviorFlags": FLAGS}
    for agent, name in ((ENGINEER, "Engineer"), (LEAD, "Lead"))
]  # fmt: skip
CONTEXT = {
    "notification": ROW_FACTS,
    "agent": {"_id": ENGINEER, "name": "Engineer", "slug": "engineer", "role": "Developer"},
    "task": {"_id": TASK, "title": "Fix build", "status": "in_progress",
    "description": "It is red.",
             "labels": ["ci"], "assignedAgentIds": [ENGINEER, WRITER]},
    "message": {"_id": MESSAGE, "authorType": "user", "authorId": "u1", "content": "@engineer look",
                "createdAt": 1767225600120.0},
    "thread": THREAD,
    "sourceNotificationType": "thread_update",
    "orchestratorAgentId": LEAD,
    "effectiveBehaviorFlags": FLAGS,
    "deliverySessionKey": f"task:{TASK}:agent:engineer:acc:v1",
    "mentionableAgents": [{"id": ENGINEER, "name": "Engineer", "slug": "engineer", "role": "Dev"},
                          {"id": LEAD, "name": "Squad Lead", "slug": "", "role": "Lead"}],
    "primaryUserMention": {"id": "u1", "name": "Alice"},
    "repositoryDoc": {"content": "# Repository"},
    "globalBriefingDoc": {"content": "# Briefing"},
    "taskOverview": {
        "totals": [{"status": "inbox", "count": 3.0}],
        "topTasks": [{"status": "inbox", "tasks": [
            {"taskId": "t2", "title": "Write", "priority": 2.0, "assignedAgentIds": [WRITER],
             "assignedUserIds": ["u1"]}]}],
    },
}  # fmt: skip
PROFILES = [
    {"_id": ENGINEER, "name": "Engineer", "slug": "engineer", "role": "Dev",
     "openclawConfig": {"model": "m"}, "effectiveSoulContent": "# Soul",
     "effectiveUserMd": "# User",
     "effectiveIdentityContent": "# Me", "resolvedSkills": [
        {"slug": "deploy", "name": "Deploy", "description": "d", "contentMarkdown": "How"}]}
]  # fmt: skip
TASKS = [
    {"_id": TASK, "title": "Fix", "status": "review", "description": "",
     "assignedAgentIds": [ENGINEER], "createdAt": 1.0, "updatedAt": 2.0}
]  # fmt: skip
UPGRADE = {
    "targetOpenclawVersion": "2026.9.6",
    "targetRuntimeVersion": "2",
    "initiatedAt": 1.0,
    "strategy": "immediate",
}


class Told:
    """Stands for the backend: every call has the same answer."""

    def __init__(self, value: object) -> None:
        self.value = value

    def call(self, action: str, **arguments: Any) -> Any:
        return self.value


def read_request(value: Any) -> object:
    actions = ConvexActions(Told(value))  # type: ignore[arg-type]
    return actions.request_responses(agent=ENGINEER, task=TASK, slugs=(), message="")


def read_changed_fields(value: Any) -> object:
    actions = ConvexActions(Told(value))  # type: ignore[arg-type]
    return actions.update_task(agent=ENGINEER, task=TASK, fields={})


def read_documents(value: Any) -> object:
    return ConvexActions(Told(value)).documents(fields={})  # type: ignore[arg-type]


BACKEND = [
    pytest.param(read_page, [ROW_FACTS, ROW_FACTS], id="page"),
    pytest.param(lambda value: read_member(value, "messageId"), {"messageId": "m"}, id="member"),
    pytest.param(read_upgrade, UPGRADE, id="upgrade"),
    pytest.param(read_context, CONTEXT, id="context"),
    pytest.param(read_members, MEMBERS, id="members"),
    pytest.param(read_profiles, PROFILES, id="profiles"),
    pytest.param(read_tasks, TASKS, id="tasks"),
    pytest.param(read_thread, {"thread": THREAD}, id="thread"),
    pytest.param(read_request, {"notificationIds": [ROW]}, id="request"),
    pytest.param(read_changed_fields, {"changedFields": ["title"]}, id="changed fields"),
    pytest.param(read_documents, {"documents": [{"_id": "d", "title": "Plan"}]}, id="documents"),
]


def received(content: bytes | str) -> Any:
    """Give the value of an answer, None when the call failed."""
    content = as_bytes(content) if isinstance(content, str) else content
    with suppress(BackendGarbled):
        answer = parsed("listAgents", content)
        if answer["status"] == "success":
            return answer.get("value")
        assert type(function_error("listAgents", answer.get("errorMessage"))) in WORDS
    return None


def success(value: object) -> str:
    return as_json({"status": "success", "value": value})


@many
@given(
    content=any_bytes
    | mangled(success(CONTEXT).encode(), json_parts)
    | changed({"status": "error", "errorMessage": "[Request ID: 1] Server Error"})
    .map(as_json)
    .map(as_bytes)
)
def test_any_answer_of_the_backend_is_taken_apart(content: bytes) -> None:
    received(content)


@some
@given(message=json_values | st.text(), status=st.integers(100, 599), content=any_bytes)
def test_any_refusal_of_the_backend_has_a_name(message: Any, status: int, content: bytes) -> None:
    for found in (function_error("a", message), http_error("a", status, content)):
        assert type(found) in WORDS


@pytest.mark.parametrize(("reader", "good"), BACKEND)
def test_a_good_value_is_read(reader: Reader, good: Any) -> None:
    assert reader(received(success(good)))


@pytest.mark.parametrize(("reader", "good"), BACKEND)
@few
@given(value=json_values)
def test_any_value_of_the_backend_is_read_or_garbled(
    reader: Reader, good: Any, value: object
) -> None:
    with suppress(BackendGarbled):
        reader(received(success(value)))


@pytest.mark.parametrize(("reader", "good"), BACKEND)
@some
@given(data=st.data())
def test_a_changed_value_of_the_backend_is_read_or_garbled(
    reader: Reader, good: Any, data: st.DataObject
) -> None:
    value = received(success(data.draw(changed(good))))

    with suppress(BackendGarbled):
        reader(value)


@pytest.mark.parametrize(("reader", "good"), BACKEND)
def test_each_member_of_a_value_may_be_spoilt(reader: Reader, good: Any) -> None:
    for text in spoilt(good):
        with suppress(BackendGarbled):
            reader(received(f'{{"status": "success", "value": {text}}}'))


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


def read_and_tell(content: str) -> None:
    with suppress(BackendGarbled):
        context = read_context(received(content))
        if context is not None:
            tell(context)


@settings(max_examples=400, deadline=None)
@given(value=changed(CONTEXT))
def test_a_context_that_can_be_read_can_be_decided_and_told(value: object) -> None:
    read_and_tell(success(value))


def test_a_context_can_be_told_with_each_member_spoilt() -> None:
    for text in spoilt(CONTEXT):
        read_and_tell(f'{{"status": "success", "value": {text}}}')


# The gateway

RESPONSE = {
    "id": "resp_1", "object": "response", "status": "completed",
    "output": [
        {"type": "message", "role": "assistant", "phase": "final",
         "content": [{"type": "output_text", "text": "Done."}]},
        {"type": "message", "content": "NO_REPLY"},
        {"type": "function_call", "call_id": "c1", "name": "task_status",
         "arguments": '{"status": "review"}'},
        {"type": "function_call", "call_id": "c2", "name": "task_load",
         "arguments": {"taskId": TASK}},
    ],
    "usage": {"input_tokens": 10, "output_tokens": 5.0},
}  # fmt: skip
REFUSAL = {
    "error": {"message": "Unrecognized key: tools", "type": "invalid_request_error", "code": None}
}
FAILED = {"object": "response", "status": "failed", "error": {"message": "billing"}, "output": []}
answers = st.sampled_from([RESPONSE, REFUSAL, FAILED]).flatmap(changed).map(as_json).map(as_bytes)
statuses = st.integers(100, 599) | st.sampled_from([200, 200, 200, 400, 401, 402, 404, 429, 503])


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


@many
@given(
    status=statuses,
    content=any_bytes | answers | mangled(json.dumps(RESPONSE).encode(), json_parts),
)
def test_any_answer_of_the_gateway_is_a_reply_or_an_error(status: int, content: bytes) -> None:
    hear(status, content)


@pytest.mark.parametrize("good", [RESPONSE, REFUSAL, FAILED])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_each_member_of_an_answer_may_be_spoilt(status: int, good: Any) -> None:
    for text in spoilt(good):
        hear(status, text.encode())


@many
@given(text=texts | st.text(st.characters(), max_size=200))
def test_any_text_is_judged(text: str) -> None:
    assert judge(text) in Said


DATE = [
    b"Mon, ", b"05", b" ", b"Jan", b" ", b"2026", b" ", b"10", b":", b"00", b":", b"00", b" ",
    b"+0000",
]  # fmt: skip
GOOD_DATE = b"".join(DATE)
ODD = [
    b"", b" ", b",", b":", b"-", b".", b"+", b"0", b"1", b"-1", b"99", b"9" * 20, b"9" * 5_000,
    b"+2359", b"-" + b"9" * 20, b"GMT", b"EST", b"Z", b"\xb2", b"\xd9\xa3", b"\xff", b"\0", b"NaN",
    b"9:9:9",
]  # fmt: skip
dates = (
    st.tuples(*[st.sampled_from([part] * 150 + ODD) for part in DATE]).map(b"".join)
    | st.lists(st.sampled_from(ODD), max_size=6).map(b" ".join)
    | st.binary(max_size=20)
)


def wished(wish: bytes, date: bytes | None) -> None:
    headers = [(b"Retry-After", wish)] + ([] if date is None else [(b"Date", date)])

    found = _wish(httpx.Headers(headers))

    assert found is None or timedelta(0) <= found <= timedelta(minutes=10)


@many
@given(wish=dates, date=st.none() | dates)
def test_any_wish_to_be_left_alone_is_bounded_or_none(wish: bytes, date: bytes | None) -> None:
    wished(wish, date)


def test_each_part_of_a_date_may_be_odd() -> None:
    for at, odd in itertools.product(range(len(DATE)), ODD):
        date = b"".join([*DATE[:at], odd, *DATE[at + 1 :]])
        wished(date, GOOD_DATE)
        wished(GOOD_DATE, date)


READY = {"ready": False, "failing": ["model", "channels"]}
STARTED = {"ok": True, "status": "started", "version": "2026.9.6"}


def or_none(text: str) -> Any:
    """Read JSON as a look does."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def looked(ready: tuple[int, str], started: tuple[int, str]) -> None:
    state = state_of((ready[0], or_none(ready[1])), (started[0], or_none(started[1])))

    assert isinstance(state, GatewayState)


@some
@given(
    statuses=st.tuples(statuses, statuses),
    ready=changed(READY) | json_values,
    started=changed(STARTED) | json_values,
)
def test_any_state_of_the_gateway_is_told(
    statuses: tuple[int, int], ready: object, started: object
) -> None:
    looked((statuses[0], as_json(ready)), (statuses[1], as_json(started)))


@pytest.mark.parametrize("good", [READY, STARTED])
def test_each_member_of_a_state_may_be_spoilt(good: Any) -> None:
    for text in spoilt(good):
        looked((503, text), (200, text))


# HTTP

RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n"
    b"Date: " + GOOD_DATE + b'\r\n\r\n{"output":1}',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
    b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.0 502 Bad Gateway\r\nServer: nginx\r\n\r\n<html>until the end",
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05",
    b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
]  # fmt: skip
http_headers = st.sampled_from([
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: 3, 3\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Encoding: gzip\r\n", b"Upgrade: h2c\r\n",
    b"Connection: upgrade\r\n", b"Connection: close\r\n", b"X: a\r\n folded\r\n",
    b"Retry-After: \xd9\xa3\r\n", b"Retry-After: 9\r\n", b"X: \xff\xfe\r\n", b"X:\r\n",
])  # fmt: skip
http_parts = http_headers | st.binary(max_size=6) | st.sampled_from([
    b"", b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\xff", b"HTTP/1.1 ", b"HTTP/2 ",
    b"HTTP/1.1 200 OK\r\n", b"000", b"0", b"-1", b"ffffffffffffffff", b"ffffffffffffffffff",
    b"0\r\n\r\n", b"x" * 300,
])  # fmt: skip
http_heads = st.builds(
    lambda status, headers: b"".join([b"HTTP/1.1 ", status, b" OK\r\n", *headers, b"\r\n"]),
    st.sampled_from(
        [b"200", b"200", b"500", b"429", b"204", b"304", b"100", b"101", b"199", b"999"]
    ),
    st.lists(http_headers, max_size=3),
)
http_bodies = st.sampled_from(
    [b"", b"hello", b"{}", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"x" * 300]
)
streams = (
    st.lists(st.tuples(http_heads, http_bodies).map(b"".join), min_size=1, max_size=3).map(b"".join)
    | st.sampled_from(RESPONSES).flatmap(lambda good: mangled(good, http_parts))
    | st.sampled_from(RESPONSES)
    | st.binary(max_size=60)
)


def pieces_of(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return (data[begin:end] for begin, end in itertools.pairwise(places))


@settings(max_examples=500, deadline=None)
@given(
    data=streams,
    cuts=st.lists(st.integers(0, 500), max_size=6),
    limit=st.sampled_from([1, 8, 1_000]),
)
def test_any_bytes_are_an_answer_or_a_broken_exchange(
    data: bytes, cuts: list[int], limit: int
) -> None:
    answer = Answer(body_limit=limit)
    with suppress(httpx.TransportError, BodyTooLarge):
        for piece in pieces_of(data, cuts):
            answer.feed(piece)
            assert len(answer.body) <= limit
        if not answer.is_over:
            answer.feed(b"")
        assert answer.is_over
        hear(answer.status, bytes(answer.body), _wish(httpx.Headers(answer.headers)))
        answer.feed(b"")


@pytest.mark.parametrize("good", RESPONSES)
def test_each_byte_can_come_alone(good: bytes) -> None:
    answer = Answer(body_limit=100)

    with suppress(httpx.TransportError):
        for at in range(len(good)):
            answer.feed(good[at : at + 1])
        answer.feed(b"")


# What agents want

SAMPLES = {"string": "review", "number": 3, "array": ["engineer", "lead"]}
tools = pytest.mark.parametrize("tool", EVERY_TOOL.values(), ids=list(EVERY_TOOL))


def arguments_of(tool: Tool) -> dict[str, Any]:
    return {name: SAMPLES[schema["type"]] for name, schema in tool.properties.items()} | {"x": {}}


def take(call: ToolCall, tool: Tool) -> None:
    """Read a call's arguments; what is read can be sent on."""
    try:
        found = read_arguments(call, tool)
    except CallRefused as refused:
        as_utf8(refusal_of(call, str(refused)).text)
    else:
        assert found.keys() <= tool.properties.keys()
        as_utf8(json.dumps(found, ensure_ascii=False, allow_nan=False))


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


# Journals

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


# Settings

SECRET = "5ecre7c0ffee5ecre7c0ffee"
TOKEN_LINE = f"SERVICE_TOKEN=mc_service_{ACCOUNT}_{SECRET}".encode()
env_names = st.sampled_from([
    *known_names(), "SERVICE_TOKEN_FILE", "REDIS_URL_FILE", "CONSOLE_TOKEN_FILE", "SERVICE_TOKN",
    "export LOG_LEVEL", "", "'", "#",
]).map(as_bytes)  # fmt: skip
env_values = texts.map(as_bytes) | st.sampled_from([
    b"true", b"3", b"-0", b"9" * 5_000, "٣".encode(), b"'", b'"', b'"a\nb"', b"'\\'",
    b"${SERVICE_TOKEN}", b"${SERVICE_TOKEN:-x}", b"${", b"$", b"\\x", b"\\N{x}", b"mc_service_",
    b"mc_service_a_b", ACCOUNT.encode(), b"http://[", b"http://a:99999999", b"http://a:b@c",
    b"http://\xe2\x84\x80", b"http://", b"unix:/x", b"redis://h:6379/x", b"https://x.example/",
    b"/", b".", b"\0", b"\xff", b"0.0.0.0", b"::", b"/clawd/agents",
])  # fmt: skip
env_lines = st.builds(
    lambda *parts: b"".join(parts),
    env_names,
    st.sampled_from([b"=", b" = ", b"", b":"]),
    env_values,
)
GOOD_LINES = [f"{name}={value}".encode() for name, value in REQUIRED.items()]
GOOD_LINES = [*GOOD_LINES, TOKEN_LINE, b"LOG_LEVEL='warn' # why", b"export HEALTH_PORT=3001", b""]
more_lines = st.lists(env_lines, max_size=3)
env_files = st.builds(
    lambda before, kept, after: b"\n".join([*before, *kept, TOKEN_LINE, *after]),
    more_lines,
    st.sampled_from([GOOD_LINES] * 4 + [GOOD_LINES[1:], []]),
    more_lines,
)
broken_files = mangled(b"\n".join(GOOD_LINES), env_values) | st.binary(max_size=200)


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / ".env"


def settings_told(env_file: Path) -> str:
    """Read the settings from a file alone; return what is said of them."""
    with pytest.MonkeyPatch.context() as machine:
        for name in list(os.environ):
            machine.delenv(name)
        told = "\n".join(misspelt_names(env_file))
        try:
            found = load_settings(env_file)
        except SettingsInvalid as error:
            return f"{told} {error} {error.problems!r} {error.__cause__!r}"
        assert isinstance(found, Settings)
        assert found.threads > 0
        assert found.base_url_for_agents
        assert found.openclaw_config_path
        return f"{told} {found.notes!r}"


@settings(max_examples=300, deadline=None)
@given(content=env_files | broken_files)
def test_any_file_is_settings_or_refused_without_its_secrets(
    env_file: Path, content: bytes
) -> None:
    env_file.write_bytes(content)

    assert SECRET not in settings_told(env_file)


# Ids and tokens

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ids = (
    texts
    | st.text(ALPHABET, min_size=31, max_size=37)
    | st.builds(encode_document_id, counts, st.binary(max_size=20))
    | mangled(ROW.encode(), st.binary(max_size=1)).map(lambda data: data.decode("latin-1"))
)
KEPT = TurnTokens(SecretStr("k" * 32), life=timedelta(minutes=11), clock=ManualClock())
MINTED = KEPT.mint(
    Rights(agent=ENGINEER, task=TASK, is_orchestrator=False, may_mark_done=True, flags=Flags()),
    SessionKey("task:t:agent:engineer:acc:v1"),
)
PAYLOAD = {"session": "0123456789abcdef", "rights": RICH_FACTS["rights"]}
token_parts = st.binary(max_size=3) | st.sampled_from(
    [b".", b"..", b"-", b"=", b"turn_", b"A" * 2_000]
)


def signed(payload: str) -> str:
    """Sign what another version of this program might have minted."""
    signer = KEPT._serializer.make_signer(KEPT._serializer.salt)
    return PREFIX + signer.sign(base64_encode(payload)).decode()


tokens = (
    texts.map(lambda text: PREFIX + text)
    | texts
    | mangled(MINTED.encode(), token_parts).map(
        lambda data: data.decode("utf-8", "surrogateescape")
    )
    | json_values.map(as_json).map(signed)
    | changed(PAYLOAD).map(as_json).map(signed)
)


@many
@given(text=ids)
def test_any_text_is_an_id_or_none(text: str) -> None:
    found = decode_document_id(text)

    assert found is None or encode_document_id(*found) == text


@many
@given(token=tokens)
def test_any_token_is_a_pass_or_refused(token: str) -> None:
    with suppress(TokenRefused):
        assert isinstance(KEPT.read(token), Pass)


def test_each_member_of_a_pass_may_be_spoilt() -> None:
    for text in spoilt(PAYLOAD):
        with suppress(TokenRefused):
            KEPT.read(signed(text))
