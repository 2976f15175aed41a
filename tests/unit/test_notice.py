"""People are told when there will be no answer: once, in human words, waking no agent."""

from dataclasses import replace

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Resting
from dispatcher.domain.ids import derived_key
from dispatcher.domain.notice import notice_text
from dispatcher.domain.notification import Kind
from dispatcher.domain.retry import Cause
from tests.fakes.deliveries import cause_of_death
from tests.fakes.desk import Office
from tests.samples import MESSAGE, ROW, context, notification


def doomed(**changes) -> Office:
    office = Office(context(notification=notification(kind=Kind.MENTION), **changes))
    office.diary.prepare("ask", errors.AskRefused("HTTP 413"))
    return office


@pytest.mark.parametrize("cause", [*Cause, "something new"])
def test_every_cause_has_human_words(cause: str) -> None:
    text = notice_text(cause)
    assert "could not be answered" in text
    assert "_" not in text.strip("_")


def test_a_death_is_told_in_the_thread_before_the_row_is_marked() -> None:
    office = doomed()

    assert cause_of_death(office.attempt()) == "ask_refused"

    (notice,) = office.backend.posts
    assert "too long" in notice.content
    assert notice.key == derived_key(ROW, MESSAGE, "notice")
    assert not notice.wakes_agents
    calls = office.diary.calls
    assert calls.index("journal:dying") < calls.index("post_message")
    assert calls.index("post_message") < calls.index("mark_delivered")


def test_a_death_that_is_repeated_is_told_once() -> None:
    office = doomed()
    office.diary.prepare("mark_delivered", errors.BackendUncertain("lost"))

    first, second = office.attempts()

    assert isinstance(first, Resting)
    assert cause_of_death(second) == "ask_refused"
    assert len(office.backend.posts) == 1


def test_a_notice_waits_for_a_backend_that_is_away() -> None:
    office = doomed()
    office.diary.prepare("post_message", errors.BackendUnavailable("429"))

    first, second = office.attempts()

    assert isinstance(first, Resting)
    assert cause_of_death(second) == "ask_refused"
    assert len(office.backend.posts) == 1
    assert office.diary.calls.count("ask") == 1


def test_a_refused_notice_does_not_keep_a_delivery_from_dying() -> None:
    office = doomed()
    office.diary.prepare("post_message", errors.BackendRefused("no"))

    assert cause_of_death(office.attempt()) == "ask_refused"
    assert office.backend.is_delivered(ROW)


def test_no_notice_is_given_when_it_is_switched_off() -> None:
    office = doomed()
    office.desk = replace(office.desk, gives_notice=False)

    assert cause_of_death(office.attempt()) == "ask_refused"
    assert office.backend.posts == []
