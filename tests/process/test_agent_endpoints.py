"""Agents without tools, end to end: they find their token in the prompt, and act with it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from dispatcher.lab.stack import Stack
from tests.process.facts import QUICK
from tests.process.test_tools import EVERY_RIGHT, Talk, tasks, tool
from tests.process.trouble import end_quickly
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = Path(tmp_path_factory.mktemp("endpoints"))
    settings = QUICK | {"OPENCLAW_CLIENT_TOOLS_ENABLED": "false"}
    stack = Stack(folder, settings=settings, sandbox_arguments=("--delay", "0.1"))
    try:
        yield stack.start()
    finally:
        end_quickly(stack)
        stack.stop()


@pytest.fixture
def talk(stack: Stack) -> Talk:
    stack.human("set_orchestrator", agent=None)
    return Talk(stack)


@pytest.fixture
def lead(stack: Stack) -> Talk:
    """The engineer leads the crew."""
    stack.human("set_orchestrator", agent=stack.sandbox["agents"]["engineer"])
    return Talk(stack)


def run(talk: Talk, path: str, **arguments: Any) -> tuple[int, dict[str, Any]]:
    """Let the agent call one endpoint; return what it was told."""
    before = len(told_by(talk))
    talk.say(tool(path, **arguments))
    told = until(lambda: told_by(talk), lambda found: len(found) > before, seconds=30)
    return told[-1]


def told_by(talk: Talk) -> list[tuple[int, dict[str, Any]]]:
    """What the agent was told of its calls so far; its other replies do not count."""
    found = (re.fullmatch(r"Done: (\d{3}) (.*)", said, re.DOTALL) for said in talk.replies())
    return [(int(one[1]), json.loads(one[2])) for one in found if one]


def test_an_agent_without_tools_acts_over_http_with_the_token_of_its_prompt(stack, talk) -> None:
    status, told = run(talk, "task-create", title="Over HTTP")

    assert (status, told["success"]) == (200, True)
    (created,) = tasks(stack, "Over HTTP")
    assert created["_id"] == told["taskId"]
    assert created["createdBy"] == talk.engineer
    assert all(ask["tools"] == [] for ask in talk.asks())


def test_a_whole_session_of_reading_and_writing(stack, talk) -> None:
    stack.human("assign", task=talk.task, agents=[talk.engineer])
    talk.await_reply()
    steps: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("task-status", {"taskId": talk.task, "status": "review"}, "status"),
        ("task-update", {"title": "New title"}, "changedFields"),
        ("document", {"title": "Plan", "content": "# Plan", "type": "note", "taskId": talk.task},
            "documentId"),
        ("document-list", {"taskId": talk.task}, "data"),
        ("task-load", {"taskId": talk.task}, "data"),
        ("task-history", {"taskId": talk.task, "activityLimit": 5}, "data"),
        ("get-agent-skills", {}, "data"),
        # The last one: the writer answers, and its answer is told to the engineer.
        ("response-request", {"recipientSlugs": ["@Writer"], "message": "Please look"},
            "notificationIds"),
    )  # fmt: skip

    for path, arguments, member in steps:
        status, told = run(talk, path, **arguments)
        assert (status, told["success"]) == (200, True), (path, told)
        assert member in told

    (task,) = tasks(stack, "New title")
    assert task["status"] == "review"


def test_the_orchestrator_has_its_eight_endpoints(stack, lead) -> None:
    other = stack.human("create_task", title="Somewhere else")
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("task-assign", {"taskId": other, "assigneeSlugs": ["writer"]}),
        ("task-message", {"taskId": other, "content": "Hello over there"}),
        ("task-list", {"assigneeSlug": "writer", "limit": 5}),
        ("task-get", {"taskId": other}),
        ("task-thread", {"taskId": other}),
        ("task-search", {"query": "somewhere"}),
        ("task-link-pr", {"taskId": other, "prNumber": 7}),
        ("task-delete", {"taskId": other, "reason": "It was a test."}),
    )

    told = {}
    for path, arguments in steps:
        status, told[path] = run(lead, path, **arguments)
        assert status == 200, (path, told[path])

    assert told["task-get"]["data"]["task"]["_id"] == other
    assert "Hello over there" in str(told["task-thread"]["data"]["thread"])
    assert other in str(told["task-search"]["data"]["results"])
    (row,) = tasks(stack, "Somewhere else")
    assert (row["status"], row["metadata"]["prNumber"]) == ("archived", 7)


@pytest.mark.parametrize(
    ("path", "arguments", "status", "error"),
    [
        ("task-status", {"status": "done"}, 403, "Forbidden: Not allowed to mark tasks as done"),
        ("task-load", {"taskId": "nonsense"}, 422, "ArgumentValidationError"),
        ("task-status", {"status": "blocked"}, 422, "blockedReason is required"),
    ],
)
def test_what_is_refused_is_told_in_words(
    talk: Talk, path: str, arguments: dict[str, Any], status: int, error: str
) -> None:
    found, told = run(talk, path, **arguments)

    assert found == status
    assert error in told["error"]


def test_nobody_else_gets_in(stack, talk) -> None:
    """Session keys can be guessed; they open nothing."""
    key = f"task:{talk.task}:agent:engineer:{stack.sandbox['accountId']}:v1"
    for header in ({}, {"x-openclaw-session-key": key}, {"x-openclaw-session-key": "turn_a.b.c"}):
        answer = httpx.post(
            f"{stack.url}/agent/task-create", headers=header, json={"title": "Evil"}
        )
        assert answer.status_code == 401
    assert tasks(stack, "Evil") == []


def test_the_token_is_in_no_log_and_not_in_redis(stack, talk) -> None:
    run(talk, "get-agent-skills")

    logs = [child.log.read_text() for child in (stack.runtime, *stack.workers)]
    assert not any("turn_" in text.replace("turn_***", "") for text in logs)
    client = redis.Redis.from_url(stack.settings["REDIS_URL"])
    for name in client.keys("*"):
        dumped = client.dump(name)
        assert dumped is None or b"turn_" not in dumped
        assert b"pass:" not in name


def test_rights_that_were_taken_away_close_the_door_in_the_next_turn(stack) -> None:
    stack.human("set_orchestrator", agent=None)
    weak = Talk(stack, {**EVERY_RIGHT, "canCreateTasks": False})
    weak.say(tool("task-create", title="Not allowed"))

    assert "I have no tool named task-create" in weak.await_reply()
    assert tasks(stack, "Not allowed") == []


def test_item_134_a_body_that_is_too_large_is_refused_by_the_server_itself(stack) -> None:
    """Before anything of it is kept, and without a token."""
    answer = httpx.post(f"{stack.url}/agent/document", content=b"a" * (2 * 1024 * 1024 + 1))

    assert answer.status_code == 413
    assert httpx.get(f"{stack.url}/livez").status_code == 200
