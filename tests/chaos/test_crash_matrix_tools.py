"""A worker is killed around a tool call of its agent: no tool runs twice without the agent's word.

The journal tells that a call is begun, then holds its result. Between the two nobody knows whether
the call happened: what may be repeated is repeated, the rest is told to the agent.
"""

import pytest

from tests.chaos.ward import Conversation, Ward
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

CREATE = '@engineer go [[tool:task_create {"title": "%s"}]] [[reply:It is on the board.]]'
REVIEW = (
    '@engineer go [[tool:task_status {"taskId": "%s", "status": "review"}]] [[reply:It is yours.]]'
)


def die_and_be_followed(
    ward: Ward, conversation: Conversation, moment: str, step: str, times: int
) -> None:
    """Let a worker die over what waits; then a healthy one ends it."""
    ward.await_death(ward.dying_worker(moment, step, times))
    until(conversation.strikes, lambda count: count == 1)
    with ward.healthy_worker():
        conversation.await_answers(1)


@pytest.mark.parametrize(
    ("step", "times", "asks"),
    [
        pytest.param("journal answered", 1, 2, id="after_the_call_was_stored"),
        pytest.param("journal tools", 2, 2, id="after_its_result_was_stored"),
        pytest.param("journal asked", 2, 2, id="before_its_result_was_sent"),
        pytest.param("ask", 2, 3, id="before_the_next_answer_was_stored"),
        pytest.param("journal posting", 1, 2, id="after_the_next_answer_was_stored"),
    ],
)
def test_a_tool_call_runs_once_whenever_its_worker_is_killed(ward, step, times, asks) -> None:
    conversation = ward.conversation()
    title = f"{step} {times}"
    conversation.say(CREATE % title)

    die_and_be_followed(ward, conversation, "after", step, times)

    (answer,) = conversation.answers()
    assert answer.startswith("It is on the board.")
    assert ward.tasks(title) == 1
    assert len(conversation.asks()) == asks
    assert '"success": true' in conversation.asks()[-1]["input_text"]


@pytest.mark.parametrize(
    ("step", "created"),
    [
        pytest.param("journal tools", 0, id="before_it_was_run"),
        pytest.param("create_task", 1, id="before_its_result_was_stored"),
    ],
)
def test_a_call_that_cannot_be_repeated_is_told_to_be_unknown(ward, step, created) -> None:
    conversation = ward.conversation()
    title = f"unknown {step}"
    conversation.say(CREATE % title)

    die_and_be_followed(ward, conversation, "after", step, 1)

    (answer,) = conversation.answers()
    assert answer.startswith("It is on the board.")
    assert ward.tasks(title) == created
    assert len(conversation.asks()) == 2
    assert '"outcome": "unknown"' in conversation.asks()[-1]["input_text"]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("journal tools", id="before_it_was_run"),
        pytest.param("set_status", id="before_its_result_was_stored"),
    ],
)
def test_a_call_that_may_be_repeated_is_repeated(ward, step) -> None:
    conversation = ward.conversation()
    conversation.assign()
    with ward.healthy_worker():
        conversation.await_answers(1)
    conversation.say(REVIEW % conversation.task)

    ward.await_death(ward.dying_worker("after", step))
    until(conversation.strikes, lambda count: count == 1)
    with ward.healthy_worker():
        conversation.await_answers(2)

    _acknowledged, answer = conversation.answers()
    assert answer.startswith("It is yours.")
    assert conversation.status() == "review"
    assert len(conversation.asks()) == 3
    assert '"success": true' in conversation.asks()[-1]["input_text"]
