"""A worker is killed right after each step of a delivery; the next one goes on where it stopped.

The steps are those of the journey in ``ops/architecture.md``. The agent is asked again only while
its answer was not stored, and the thread gets one reply whatever happens.
"""

import pytest

from tests.chaos.ward import Conversation, Ward
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

STRUCK_BY_ITS_DEATH = 1


def die_and_be_followed(
    ward: Ward,
    conversation: Conversation,
    moment: str,
    step: str,
    times: int = 1,
    *,
    answers: int = 1,
) -> None:
    """Let a worker die over what waits; then a healthy one ends it and answers one more message."""
    ward.await_death(ward.dying_worker(moment, step, times))
    until(conversation.strikes, lambda count: count == STRUCK_BY_ITS_DEATH)

    with ward.healthy_worker():
        conversation.await_answers(answers)
        conversation.say("@engineer are you well?")
        conversation.await_answers(answers + 1)


@pytest.mark.parametrize(
    ("moment", "step", "asks"),
    [
        pytest.param("after", "claim", 1, id="after_the_claim"),
        pytest.param("after", "fetch_context", 1, id="after_the_context_was_fetched"),
        pytest.param("after", "mark_begun", 1, id="after_typing_was_shown"),
        pytest.param("after", "journal asked", 1, id="before_the_ask_was_sent"),
        pytest.param("after", "ask", 2, id="before_the_answer_was_stored"),
        pytest.param("after", "journal posting", 1, id="after_the_answer_was_stored"),
        pytest.param("after", "post_message", 1, id="after_the_reply_was_posted"),
        pytest.param("after", "journal marking", 1, id="before_the_row_was_marked"),
        pytest.param("after", "mark_delivered", 1, id="after_the_row_was_marked"),
        pytest.param("before", "settle", 1, id="before_it_was_settled"),
    ],
)
def test_a_worker_killed_at_a_step_is_continued_not_repeated(ward, moment, step, asks) -> None:
    conversation = ward.conversation()
    conversation.say("@engineer hello")

    die_and_be_followed(ward, conversation, moment, step)

    assert conversation.answers() == ["Done: engineer hello", "Done: engineer are you well?"]
    assert [ask["outcome"] for ask in conversation.asks()] == ["answered"] * (asks + 1)


def test_a_worker_killed_while_the_agent_thinks_lets_it_be_asked_again(ward) -> None:
    conversation = ward.conversation()
    conversation.say("@engineer think [[hang]] [[times:1]]")
    worker = ward.dying_worker("after", "never")
    until(conversation.asks, seconds=30)

    worker.kill()

    until(conversation.strikes, lambda count: count == STRUCK_BY_ITS_DEATH)
    with ward.healthy_worker():
        conversation.await_answers(1)
    assert [ask["outcome"] for ask in conversation.asks()] == ["aborted", "answered"]
    assert len(conversation.answers()) == 1


def test_a_worker_killed_after_the_settling_leaves_nothing_to_do(ward) -> None:
    conversation = ward.conversation()
    conversation.say("@engineer hello")

    ward.await_death(ward.dying_worker("after", "settle"))

    assert conversation.open() == []
    with ward.healthy_worker():
        conversation.say("@engineer are you well?")
        conversation.await_answers(2)
    assert conversation.answers() == ["Done: engineer hello", "Done: engineer are you well?"]
    assert len(conversation.asks()) == 2


def test_a_worker_killed_after_it_moved_the_task_on_does_not_answer_it_twice(ward) -> None:
    conversation = ward.conversation()
    conversation.assign()

    die_and_be_followed(ward, conversation, "after", "start_work")

    assert conversation.status() == "in_progress"
    assert len(conversation.answers()) == len(conversation.asks()) == 2


# A row that changes under its turn


def test_a_worker_killed_after_it_took_over_a_newer_message_answers_that_one(ward) -> None:
    conversation = ward.conversation(listens=True)
    conversation.say("one")
    until(conversation.open)
    conversation.say("two")

    die_and_be_followed(ward, conversation, "after", "rebind", answers=2)

    assert conversation.answers()[1:] == ["Done: two", "Done: engineer are you well?"]
    assert len(conversation.asks()) == 3


@pytest.mark.parametrize(
    ("step", "times"),
    [
        pytest.param("mark_delivered", 1, id="before_it_read_the_row_again"),
        pytest.param("fetch_context", 2, id="after_it_read_the_row_again"),
        pytest.param("put", 1, id="after_it_put_the_newer_message"),
    ],
)
def test_a_message_that_came_while_its_row_was_marked_outlives_the_worker(
    ward, step: str, times: int
) -> None:
    conversation = ward.conversation(listens=True)
    conversation.say("one")
    ward.delay("markNotificationDelivered", seconds=1.0)
    worker = ward.dying_worker("after", step, times)
    until(conversation.answers, lambda found: len(found) == 2, seconds=30)

    conversation.say("two")

    ward.await_death(worker)
    until(conversation.strikes, lambda count: count == STRUCK_BY_ITS_DEATH)
    with ward.healthy_worker():
        conversation.await_answers(3)
        conversation.say("@engineer are you well?")
        conversation.await_answers(4)
    assert conversation.answers()[1:] == [
        "Done: one",
        "Done: two",
        "Done: engineer are you well?",
    ]
    assert len(conversation.asks()) == 4
