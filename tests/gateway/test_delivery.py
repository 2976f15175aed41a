"""Mention → real gateway → write-back, with real processes on our side as well."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatcher.lab.stack import Stack
from tests.gateway.model import Manner
from tests.process.facts import QUICK, replies, rows_for_agents
from tests.waiting import until

pytestmark = [pytest.mark.gateway, pytest.mark.timeout(400)]

PATIENTLY = 120


@pytest.fixture
def stack(gateway, model, tmp_path: Path) -> Iterator[Stack]:
    for agent in ("engineer", "writer"):
        model.behave(agent, Manner())
    settings = QUICK | {
        "OPENCLAW_GATEWAY_URL": gateway.url,
        "OPENCLAW_GATEWAY_TOKEN": gateway.token,
        "OPENCLAW_REQUEST_TIMEOUT_MS": "120000",
    }
    stack = Stack(tmp_path / "stack", settings=settings).start()
    stack.human("set_orchestrator", agent=None)
    yield stack
    stack.stop()


def say(stack: Stack, text: str, *, task: str | None = None) -> None:
    stack.human("post_message", task=task or stack.sandbox["taskId"], content=text)


def contents(stack: Stack, agent: str = "engineer") -> list[str]:
    return [reply["content"] for reply in replies(stack, agent)]


def is_delivered(stack: Stack, agent: str = "engineer") -> Callable[[], bool]:
    def look() -> bool:
        rows = rows_for_agents(stack, agent)
        return bool(rows) and all("deliveredAt" in row for row in rows)

    return look


def test_two_agents_answer_a_mention_each_in_the_thread(stack) -> None:
    say(stack, "@engineer @writer [[reply:all fine]]")

    for agent in ("engineer", "writer"):
        until(is_delivered(stack, agent), seconds=PATIENTLY)
        assert contents(stack, agent) == ["all fine"]


def test_a_second_message_goes_into_the_same_session(stack, model) -> None:
    say(stack, "@engineer [[reply:noted]] remember the blue door")
    until(lambda: contents(stack), seconds=PATIENTLY)
    say(stack, "@engineer [[reply:the blue one]] which door?")

    until(lambda: len(contents(stack)) == 2, seconds=PATIENTLY)
    assert contents(stack) == ["noted", "the blue one"]
    history = str(model.ledger("engineer")[-1]["messages"])
    assert "noted" in history


def test_a_provider_that_refuses_one_agent_leaves_the_others_alone(stack, model) -> None:
    model.behave("writer", Manner(status=404))
    say(stack, "@writer hello")
    until(lambda: "agent_unavailable" in str(stack.health()["problems"]), seconds=PATIENTLY)

    say(stack, "@engineer [[reply:still here]]")

    until(is_delivered(stack), seconds=PATIENTLY)
    assert contents(stack) == ["still here"]
    assert contents(stack, "writer") == []
    assert stack.health()["store"]["dead"] == 0


def test_a_request_that_the_provider_refuses_is_dead_at_once(stack, model) -> None:
    model.behave("engineer", Manner(status=400, times=1))
    say(stack, "@engineer hello")

    until(is_delivered(stack), seconds=PATIENTLY)
    (notice,) = contents(stack)
    assert "could not be answered" in notice
    # The mark comes before the settling.
    until(lambda: stack.health()["store"]["dead"], lambda count: count == 1, seconds=PATIENTLY)


def test_a_gateway_that_is_stopped_in_mid_run_finishes_it_and_takes_the_rest_later(
    stack, gateway, model
) -> None:
    say(stack, "@engineer [[reply:warm]]")
    until(lambda: contents(stack), seconds=PATIENTLY)
    known = len(model.ledger("engineer"))
    say(stack, "@engineer [[delay:5]] [[reply:in the middle]]")
    until(lambda: len(model.ledger("engineer")) > known, seconds=PATIENTLY)

    gateway.terminate()
    other = stack.human("create_task", title="Later")
    say(stack, "@engineer [[reply:after the restart]]", task=other)

    until(lambda: contents(stack)[1:] == ["in the middle"], seconds=PATIENTLY)
    assert gateway.wait(60) is not None
    until(lambda: stack.health()["gateway"]["running"], lambda running: not running, seconds=40)
    gateway.start_again()
    until(is_delivered(stack), seconds=PATIENTLY)
    assert contents(stack) == ["warm", "in the middle", "after the restart"]
    assert stack.health()["store"]["dead"] == 0


def test_a_gateway_that_is_killed_in_mid_run_costs_an_attempt_and_no_reply(
    stack, gateway, model
) -> None:
    say(stack, "@engineer [[reply:warm]]")
    until(lambda: contents(stack), seconds=PATIENTLY)
    known = len(model.ledger("engineer"))
    say(stack, "@engineer [[delay:5]] [[reply:once]]")
    until(lambda: len(model.ledger("engineer")) > known, seconds=PATIENTLY)

    gateway.kill()
    gateway.start_again()

    until(is_delivered(stack), seconds=PATIENTLY)
    assert contents(stack) == ["warm", "once"]
    assert "ask_lost" in stack.workers[0].log.read_text()
