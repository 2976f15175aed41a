"""What an agent may say instead of an answer, and how often it is asked for one."""

from datetime import timedelta

import pytest

from dispatcher.domain.delivery import Outcome, Resting, Settled, Spent
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Kind
from dispatcher.domain.reply import SILENCE_WORD
from tests.fakes.deliveries import ANSWERED, office_for, update_by_agent
from tests.fakes.desk import BOUNDS
from tests.fakes.gateway import GREETING
from tests.samples import LEAD, notification

REQUIRED = (Kind.MENTION, Kind.ASSIGNMENT, Kind.RESPONSE_REQUEST, Kind.THREAD_UPDATE)


@pytest.mark.parametrize("text", ["", "  ", "NO_REPLY", SILENCE_WORD, "No response from OpenClaw."])
@pytest.mark.parametrize("kind", REQUIRED)
def test_items_54_55_a_required_reply_is_asked_for_three_times(kind: Kind, text: str) -> None:
    office = office_for(kind)
    office.gateway.will_say(text, text, text)

    first, second, third = office.attempts()

    assert isinstance(first, Resting)
    assert isinstance(second, Resting)
    assert first.spends is second.spends is Spent.UNANSWERED
    assert third == Settled(outcome="no_reply")
    typing = ["mark_begun", "ask", "mark_ended"]
    assert office.effects() == [*typing, *typing, "mark_begun", "ask", "mark_delivered"]
    assert office.tally.attempts[-1] == (kind.value, "settled", "no_reply")


def test_item_54_the_waits_between_the_asks_keep_the_operators_bounds() -> None:
    office = office_for()
    office.gateway.will_say("", "", "")

    waits = [outcome for outcome in office.attempts() if isinstance(outcome, Resting)]

    assert all(BOUNDS.backoff_base <= wait.delay <= BOUNDS.backoff_max for wait in waits)


@pytest.mark.parametrize("text", ["", "NO_REPLY", "NO", SILENCE_WORD, "No reply from agent."])
def test_item_56_nobody_waits_for_an_answer_to_an_agents_update(text: str) -> None:
    office = update_by_agent()
    office.gateway.will_say(text)

    outcome = office.attempt()

    assert isinstance(outcome, Settled)
    assert outcome.outcome in {"silence", "placeholder", "empty"}
    assert office.backend.posts == []
    assert office.backend.is_delivered(office.row)


@pytest.mark.parametrize("text", ["", "NO_REPLY", SILENCE_WORD])
def test_item_56_nobody_waits_for_an_answer_to_a_status_change(text: str) -> None:
    office = office_for(Kind.STATUS_CHANGE, message=None)
    office.gateway.will_say(text)

    assert isinstance(office.attempt(), Settled)
    assert len(office.gateway.asks) == 1
    assert office.backend.posts == []


def test_a_person_can_be_answered_with_no() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    office.gateway.will_say("NO")

    assert office.attempt() == ANSWERED
    assert office.backend.posts[0].content == "NO"


def test_item_57_the_count_of_asks_does_not_depend_on_the_time_between_them() -> None:
    """Our decision: a slow agent must not be asked for ever because counting starts again."""
    office = office_for()
    office.gateway.will_say("", "", "")
    outcomes: list[Outcome | None] = []

    for _ in range(3):
        office.clock.advance(timedelta(hours=1))
        outcomes.append(office.attempt())

    assert outcomes[-1] == Settled(outcome="no_reply")


def test_item_58_the_count_of_asks_comes_from_the_store() -> None:
    """Any worker on any machine makes the third ask the last one."""
    office = office_for()
    office.left_behind(Journal(stage=Stage.ASKED, asks=2), unanswered=2)
    office.gateway.will_say("")

    assert office.attempt() == Settled(outcome="no_reply")


def test_item_59_an_answer_after_empty_ones_is_an_answer() -> None:
    office = office_for()
    office.gateway.will_say("", "NO_REPLY", GREETING)

    *rests, last = office.attempts()

    assert len(rests) == 2
    assert last == ANSWERED
    assert [post.content for post in office.backend.posts] == [GREETING]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("text", ["", "NO_REPLY", "HEARTBEAT_OK", "No response from agent."])
def test_items_60_61_nothing_is_ever_posted_on_behalf_of_a_silent_agent(
    kind: Kind, text: str
) -> None:
    for office in (
        office_for(kind),
        office_for(kind, notification=notification(kind=kind, recipient=LEAD)),
    ):
        office.gateway.will_say(text, text, text)

        assert isinstance(office.attempts()[-1], Settled)
        assert office.backend.posts == []


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_heartbeat_with_nothing_to_do_is_not_asked_again(kind: Kind) -> None:
    office = office_for(kind)
    office.gateway.will_say("HEARTBEAT_OK")

    assert office.attempt() == Settled(outcome="heartbeat_ok")
    assert office.backend.is_delivered(office.row)


def test_an_ask_for_a_missing_reply_does_not_claim_to_repeat_anything() -> None:
    office = office_for()
    office.gateway.will_say("", GREETING)

    office.attempts()

    assert not any("earlier attempt" in asked.instructions for asked in office.gateway.asks)


def test_only_those_for_whom_nobody_waits_are_told_the_word_for_silence() -> None:
    asked, updated = office_for(), update_by_agent()

    asked.attempt()
    updated.attempt()

    assert SILENCE_WORD not in asked.gateway.asks[0].instructions
    assert SILENCE_WORD in updated.gateway.asks[0].instructions
