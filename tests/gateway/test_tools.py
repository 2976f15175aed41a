"""Tools through the real gateway: the model calls, our worker acts at the sandbox, and answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.lab.stack import Stack
from tests.gateway.model import Manner
from tests.process.facts import QUICK, replies
from tests.waiting import until

pytestmark = [pytest.mark.gateway, pytest.mark.timeout(400)]

PATIENTLY = 120
EVERY_RIGHT = {
    "canCreateTasks": True, "canCreateDocuments": True, "canModifyTaskStatus": True,
    "canMentionAgents": True, "canReviewTasks": True, "canMarkDone": True,
}  # fmt: skip


def start(folder: Path, gateway: Any, **settings: str) -> Stack:
    more = {
        "OPENCLAW_GATEWAY_URL": gateway.url,
        "OPENCLAW_GATEWAY_TOKEN": gateway.token,
        "OPENCLAW_REQUEST_TIMEOUT_MS": "120000",
    }
    stack = Stack(folder, settings=QUICK | more | settings).start()
    stack.human("set_orchestrator", agent=stack.sandbox["agents"]["engineer"])
    stack.human("set_flags", agent=stack.sandbox["agents"]["engineer"], flags=EVERY_RIGHT)
    return stack


@pytest.fixture
def stack(gateway, model, tmp_path: Path) -> Iterator[Stack]:
    model.behave("engineer", Manner())
    stack = start(tmp_path / "stack", gateway)
    yield stack
    stack.stop()


@pytest.fixture
def toolless(gateway, model, tmp_path: Path) -> Iterator[Stack]:
    model.behave("engineer", Manner())
    stack = start(tmp_path / "stack", gateway, OPENCLAW_CLIENT_TOOLS_ENABLED="false")
    yield stack
    stack.stop()


def work(stack: Stack) -> str:
    """Give the engineer a task, and wait until it has acknowledged it."""
    task = stack.human("create_task", title="Host")
    stack.human("assign", task=task, agents=[stack.sandbox["agents"]["engineer"]])
    until(lambda: said(stack, task), seconds=PATIENTLY)
    return str(task)


def said(stack: Stack, task: str) -> list[str]:
    return [one["content"] for one in replies(stack, "engineer") if one["taskId"] == task]


def say(stack: Stack, task: str, text: str) -> str:
    """Write to the engineer, and wait for its answer."""
    before = len(said(stack, task))
    stack.human("post_message", task=task, content=f"@engineer {text}")
    return until(lambda: said(stack, task), lambda found: len(found) > before, seconds=PATIENTLY)[
        -1
    ]


def tasks(stack: Stack) -> dict[str, dict[str, Any]]:
    return {row["_id"]: row for row in stack.human("rows", table="tasks")}


def tool(name: str, **arguments: Any) -> str:
    return f"[[tool:{name} {json.dumps(arguments)}]]"


def test_a_status_that_the_model_sets_is_set_and_its_last_words_are_written_back(
    stack, model
) -> None:
    task = work(stack)

    answer = say(stack, task, tool("task_status", taskId=task, status="review"))

    assert tasks(stack)[task]["status"] == "review"
    assert '"tool": "task_status"' in answer
    assert '"success": true' in answer
    # The gateway takes all seventeen names and schemas, and hands them on.
    assert len([name for name in model.ledger("engineer")[-1]["tools"] if "_" in name]) >= 17


def test_two_rounds_in_a_row_have_their_effects_once_each(stack) -> None:
    task = work(stack)

    say(stack, task, tool("task_create", title="Round") + " [[rounds:2]] [[reply:Both made.]]")

    assert [row["title"] for row in tasks(stack).values()].count("Round") == 2
    assert said(stack, task)[-1] == "Both made."


def test_without_tools_the_agent_acts_with_the_token_of_its_prompt(toolless, model) -> None:
    task = work(toolless)

    answer = say(toolless, task, tool("task-status", taskId=task, status="review"))

    assert answer.startswith("Done: 200 ")
    assert tasks(toolless)[task]["status"] == "review"
    assert not {"task_status", "task_load"} & set(model.ledger("engineer")[-1]["tools"])
    assert "turn_" not in answer
