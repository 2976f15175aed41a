"""Whatever Convex answers is read or refused as garbled, and what is read can be told."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.adapters.convex_actions import ConvexActions
from dispatcher.adapters.convex_errors import WORDS, function_error, http_error, parsed
from dispatcher.adapters.wire import read_member, read_page, read_upgrade
from dispatcher.adapters.wire_context import read_context, read_members
from dispatcher.adapters.wire_profiles import read_profiles
from dispatcher.adapters.wire_tasks import read_tasks, read_thread
from dispatcher.domain.errors import BackendGarbled
from tests.fuzz.hostile import (
    any_bytes,
    as_bytes,
    as_json,
    changed,
    few,
    json_parts,
    json_values,
    mangled,
    many,
    some,
    spoilt,
)
from tests.fuzz.turn import tell
from tests.samples import ENGINEER, LEAD, MESSAGE, ROW, TASK, WRITER

Reader = Callable[[Any], object]

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
