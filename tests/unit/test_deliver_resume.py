"""A delivery goes on where an earlier worker left it: a stored answer is never asked for again."""

import pytest

from dispatcher.domain.delivery import Dead, Settled
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Kind
from dispatcher.domain.reply import Reply
from tests.fakes.deliveries import ANSWERED, answered, office_for
from tests.samples import TASK, task


@pytest.mark.parametrize("stage", [Stage.ANSWERED, Stage.POSTING])
def test_a_stored_answer_is_posted_without_looking_or_asking(stage: Stage) -> None:
    office = office_for()
    office.left_behind(answered(stage))

    assert office.attempt() == ANSWERED
    assert office.effects() == ["post_message", "mark_delivered"]
    assert "fetch_context" not in office.diary.calls
    assert office.backend.posts[0].content == "The stored answer."


def test_a_delivery_that_was_marking_is_only_marked() -> None:
    office = office_for()
    office.left_behind(answered(Stage.MARKING, outcome="skipped_task_closed"))

    assert office.attempt() == Settled(outcome="skipped_task_closed")
    assert office.effects() == ["mark_delivered"]


def test_a_dying_delivery_is_only_finished() -> None:
    office = office_for()
    office.left_behind(Journal(stage=Stage.DYING, asks=6, cause="ask_timed_out"))

    assert office.attempt() == Dead(cause="ask_timed_out")
    assert office.effects() == ["post_message", "mark_delivered"]


def test_the_task_of_a_stored_answer_is_moved_on_as_it_was_meant_then() -> None:
    office = office_for(Kind.ASSIGNMENT, task=task(status="in_progress"))
    office.left_behind(answered(starts_work=True))

    assert office.attempt() == ANSWERED
    assert office.backend.started == [TASK]


def test_a_stored_silence_is_judged_as_it_was_meant_then() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    stored = answered(reply=Reply(text="NO"), is_required=False, is_answer_to_agent=True)
    office.left_behind(stored)

    assert office.attempt() == Settled(outcome="silence")
    assert office.gateway.asks == []


def test_a_worker_that_died_while_the_agent_thought_is_followed_by_a_repeated_ask() -> None:
    office = office_for()
    key = SessionKey("task:t:agent:engineer:acc:v0")
    office.left_behind(Journal(stage=Stage.ASKED, session_key=key, asks=1, is_required=True))

    assert office.attempt() == ANSWERED
    (asked,) = office.gateway.asks
    assert asked.session_key == key
    assert "earlier attempt" in asked.instructions
