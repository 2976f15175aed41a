"""Agents wake by themselves, end to end, and a worker that dies in between doubles nothing."""

import time
from typing import Any

import httpx
import pytest

from dispatcher.lab.stack import Stack
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def beats(stack: Stack, agent: str = "engineer") -> list[dict[str, Any]]:
    """The asks of an agent's heartbeats."""
    return [
        ask for ask in stack.asks()
        if ask["agent"] == agent and "Heartbeat check" in (ask["input_text"] or "")
    ]  # fmt: skip


def agent(stack: Stack, name: str = "engineer") -> dict[str, Any]:
    rows = stack.human("rows", table="agents")
    return next(row for row in rows if row["slug"] == name)


def outcomes(stack: Stack) -> list[str]:
    return [ask["outcome"] for ask in beats(stack)]


def test_agents_wake_look_at_their_tasks_and_are_alive(start_stack) -> None:
    stack = start_stack(HEARTBEATS="true", AGENT_SYNC_INTERVAL="1000")

    (ask, *_) = until(lambda: beats(stack), seconds=20)
    until(lambda: agent(stack).get("lastHeartbeat"), seconds=10)

    assert ask["session_key"].startswith("agent:engineer:system:agent:engineer:")
    assert ask["tools"]
    assert agent(stack)["status"] == "online"
    until(lambda: stack.health()["store"]["open"], lambda count: count == 0, seconds=20)
    assert stack.health()["store"]["dead"] == 0


def test_a_worker_that_dies_during_a_heartbeat_leaves_it_to_another_one(start_stack) -> None:
    stack = start_stack(HEARTBEATS="true", AGENT_SYNC_INTERVAL="1000", delay=2.0)
    until(lambda: outcomes(stack), lambda found: found == ["running"], seconds=20)

    stack.workers[-1].kill()
    stack.add_worker()

    until(lambda: outcomes(stack), lambda found: found == ["aborted", "answered"], seconds=40)
    until(lambda: agent(stack).get("lastHeartbeat"), seconds=10)
    until(lambda: stack.health()["store"]["open"], lambda count: count == 0, seconds=20)


def test_a_mention_of_a_waking_agent_is_answered_beside_its_heartbeat(start_stack) -> None:
    """A heartbeat runs in the system session, and tasks have sessions of their own."""
    stack = start_stack(HEARTBEATS="true", AGENT_SYNC_INTERVAL="1000", delay=3.0)
    until(lambda: outcomes(stack), lambda found: found == ["running"], seconds=20)

    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer [[delay:0.1]] hi")

    answered = until(
        lambda: [m for m in stack.ledger()["messages"] if m["authorId"] == agent(stack)["_id"]],
        seconds=15,
    )
    assert "hi" in answered[0]["content"]


def test_no_heartbeat_is_spent_on_a_gateway_that_is_still_starting(start_stack) -> None:
    stack = start_stack(HEARTBEATS="false", AGENT_SYNC_INTERVAL="1000")
    stack.runtime.stop(within_s=15)
    away = f"{stack.sandbox['gateway']}/sandbox/away"
    httpx.post(away, json={"seconds": 30}).raise_for_status()
    stack.settings["HEARTBEATS"] = "true"

    stack.start_runtime()
    until(stack.health, seconds=20)
    time.sleep(8)
    assert stack.health()["store"]["open"] == 0

    until(lambda: agent(stack).get("lastHeartbeat"), seconds=60)
    assert outcomes(stack)[0] == "answered"
