"""Agents that call tools, end to end: effects happen once, and their results reach the agent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.lab.stack import Stack
from tests.process.facts import QUICK
from tests.process.trouble import break_backend, end_quickly, mention
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

EVERY_RIGHT = {"canCreateTasks": True, "canCreateDocuments": True, "canModifyTaskStatus": True}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests here: each has a thread of its own."""
    folder = Path(tmp_path_factory.mktemp("tools"))
    stack = Stack(folder, settings=QUICK, sandbox_arguments=("--delay", "0.1"))
    try:
        stack.start()
        stack.human("set_orchestrator", agent=None)
        yield stack
    finally:
        end_quickly(stack)
        stack.stop()


class Talk:
    """A thread with the engineer, and what its calls came to."""

    def __init__(self, stack: Stack, rights: dict[str, bool] = EVERY_RIGHT) -> None:
        self._stack = stack
        self.engineer = stack.sandbox["agents"]["engineer"]
        stack.human("set_flags", agent=self.engineer, flags=rights)
        self.task = stack.human("create_task", title="Host")

    def say(self, *words: str) -> None:
        mention(self._stack, self.task, " ".join(["@engineer go", *words]))

    def asks(self) -> list[dict[str, Any]]:
        return [ask for ask in self._stack.asks() if self.task in (ask["session_key"] or "")]

    def replies(self) -> list[str]:
        said = self._stack.ledger()["messages"]
        return [
            one["content"]
            for one in said
            if one["authorId"] == self.engineer and one["taskId"] == self.task
        ]

    def await_reply(self, count: int = 1, *, seconds: float = 30) -> str:
        """Wait until so many rows of the thread are answered and marked; return the last reply."""
        until(self._is_marked, lambda marks: len(marks) == count and all(marks), seconds=seconds)
        assert len(self.replies()) == count
        return self.replies()[-1]

    def _is_marked(self) -> list[bool]:
        rows = self._stack.ledger()["notifications"]
        mine = [
            row
            for row in rows
            if row.get("taskId") == self.task and row["recipientId"] == self.engineer
        ]
        return ["deliveredAt" in row for row in mine]


def tool(name: str, **arguments: Any) -> str:
    """Write the marker by which the scripted gateway makes its agent call a tool."""
    return f"[[tool:{name} {json.dumps(arguments)}]]"


def tasks(stack: Stack, title: str) -> list[dict[str, Any]]:
    return [row for row in stack.human("rows", table="tasks") if row["title"] == title]


def test_a_call_has_its_effect_once_and_its_result_is_told_in_the_same_session(stack) -> None:
    talk = Talk(stack)
    talk.say(tool("task_create", title="Next one"))

    reply = talk.await_reply()

    (created,) = tasks(stack, "Next one")
    assert created["createdBy"] == talk.engineer
    first, second = talk.asks()
    assert first["calls"] == ["task_create"]
    assert first["session_key"] == second["session_key"]
    assert first["tools"] == second["tools"]
    assert {"task_status", "task_create", "document_upsert"} <= set(first["tools"])
    assert created["_id"] in second["input_text"]
    assert created["_id"] in reply


def test_several_calls_of_one_answer_all_have_their_effect(stack) -> None:
    talk = Talk(stack)
    stack.human("assign", task=talk.task, agents=[talk.engineer])
    talk.await_reply()
    talk.say(
        tool("task_create", title="Follow-up"),
        tool("document_upsert", title="Plan", content="# Plan", type="note", taskId=talk.task),
        tool("task_status", taskId=talk.task, status="review"),
        "[[reply:All three.]]",
    )

    talk.await_reply(2)

    assert len(tasks(stack, "Follow-up")) == 1
    documents = stack.human("rows", table="documents")
    assert [row["content"] for row in documents if row["taskId"] == talk.task] == ["# Plan"]
    statuses = {row["_id"]: row["status"] for row in stack.human("rows", table="tasks")}
    assert statuses[talk.task] == "review"
    assert talk.asks()[-1]["input_text"].count('"success": true') == 3


def test_a_call_that_is_refused_is_told_and_the_delivery_goes_on(stack) -> None:
    talk = Talk(stack)
    talk.say(tool("task_create", title=5), tool("task_create", title="Good"))

    talk.await_reply()

    told = talk.asks()[-1]["input_text"]
    assert told.count('"success": false') == told.count('"success": true') == 1
    assert len(tasks(stack, "Good")) == 1


def test_several_rounds_have_their_effects_once_each(stack) -> None:
    talk = Talk(stack)
    talk.say(tool("task_create", title="Round"), "[[rounds:3]] [[reply:Three.]]")

    talk.await_reply()

    assert len(tasks(stack, "Round")) == 3
    assert [ask["outcome"] for ask in talk.asks()] == ["answered"] * 4


def test_an_agent_without_the_right_has_no_effect(stack) -> None:
    talk = Talk(stack, {"canCreateTasks": False})
    talk.say(tool("task_create", title="Forbidden"))

    talk.await_reply()

    assert tasks(stack, "Forbidden") == []
    assert all("task_create" not in ask["tools"] for ask in talk.asks())


def test_tools_wait_while_the_backend_is_away_and_the_answer_is_not_bought_again(stack) -> None:
    talk = Talk(stack)
    break_backend(stack, action="createTaskFromAgent", kind="503_queue", times=2)
    talk.say(tool("task_create", title="Patient"))

    talk.await_reply(seconds=40)

    assert len(tasks(stack, "Patient")) == 1
    assert [ask["outcome"] for ask in talk.asks()] == ["answered"] * 2


def test_a_worker_killed_during_the_follow_up_ask_does_not_repeat_the_effect(stack) -> None:
    talk = Talk(stack)
    talk.say(tool("task_create", title="Once"), "[[delay:1.5]]")
    until(lambda: [ask["outcome"] for ask in talk.asks()] == ["answered", "running"])
    calls = stack.ledger()["calls"]["createTaskFromAgent"]

    stack.workers[-1].kill()
    stack.add_worker()

    talk.await_reply(seconds=40)
    assert len(tasks(stack, "Once")) == 1
    assert stack.ledger()["calls"]["createTaskFromAgent"] == calls
    assert [ask["outcome"] for ask in talk.asks()] == ["answered", "aborted", "answered"]
    assert '"success": true' in talk.asks()[-1]["input_text"]
