"""Deliveries that fail: what is repeated, what is not, and when one dies."""

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Dead, Resting, Settled, Spent, entry_of
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Stage
from tests.fakes.deliveries import ANSWERED, answered, cause_of_death, office_for
from tests.fakes.desk import BOUNDS
from tests.fakes.gateway import GREETING
from tests.samples import ENGINEER, TASK, notification


@pytest.mark.parametrize(
    "error",
    [errors.AskFailed("500"), errors.AskTimedOut("60 s"), errors.AskLost("reset")],
)
def test_item_65_after_a_failed_ask_typing_ends_and_an_attempt_is_spent(
    error: errors.GatewayError,
) -> None:
    office = office_for()
    office.diary.prepare("ask", error)

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.ATTEMPT
    assert office.effects() == ["mark_begun", "ask", "mark_ended"]
    assert not office.backend.is_delivered(office.row)
    assert office.tally.attempts == [("mention", "resting", outcome.cause)]


def test_a_repeated_ask_says_so_and_stays_in_its_session() -> None:
    office = office_for()
    office.diary.prepare("ask", errors.AskLost("reset"))
    office.attempt()
    office.backend.change(office.row, session_key=SessionKey("task:t:agent:engineer:acc:v2"))

    assert office.attempt() == ANSWERED

    first, second = office.gateway.asks
    assert second.session_key == first.session_key
    assert "earlier attempt" not in first.instructions
    assert "earlier attempt" in second.instructions


@pytest.mark.parametrize(
    "error", [errors.GatewayUnavailable("refused"), errors.AgentUnavailable("unknown agent")]
)
def test_an_ask_that_never_reached_the_agent_is_not_called_a_repetition(
    error: errors.GatewayError,
) -> None:
    """The agent would look for traces of a turn that never was."""
    office = office_for()
    office.diary.prepare("ask", error)

    *_, last = office.attempts()

    assert last == ANSWERED
    assert "earlier attempt" not in office.gateway.asks[-1].instructions


def test_item_65_a_typing_mark_that_cannot_be_taken_off_changes_nothing() -> None:
    office = office_for()
    office.diary.prepare("ask", errors.AskFailed("500"))
    office.diary.prepare("mark_ended", errors.BackendUncertain("lost"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.ATTEMPT


@pytest.mark.parametrize("error", [errors.BackendUncertain("lost"), errors.BackendRedacted("no")])
def test_item_66_a_message_that_cannot_be_written_is_written_later_without_asking_again(
    error: errors.BackendError,
) -> None:
    office = office_for()
    office.diary.prepare("post_message", error, error)

    first, second, third = office.attempts()

    assert isinstance(first, Resting)
    assert isinstance(second, Resting)
    assert third == ANSWERED
    assert len(office.gateway.asks) == 1
    assert [post.content for post in office.backend.posts] == [GREETING]


def test_item_66_after_a_failing_write_typing_ends_and_the_row_is_not_marked() -> None:
    office = office_for()
    office.diary.prepare("post_message", errors.BackendUnavailable("overloaded"))

    office.attempt()

    assert office.effects() == ["mark_begun", "ask", "post_message", "mark_ended"]


def test_typing_ends_also_when_an_earlier_worker_began_it() -> None:
    """That worker was killed after the answer; nobody shall see the agent typing for ever."""
    office = office_for()
    office.left_behind(answered(Stage.POSTING))
    office.diary.prepare("post_message", errors.BackendUncertain("lost"))

    office.attempt()

    assert office.effects() == ["post_message", "mark_ended"]


def test_item_67_a_post_whose_answer_was_lost_makes_no_second_message() -> None:
    office = office_for()
    backend = office.backend
    office.left_behind(answered(Stage.POSTING), row_key_user=entry_of(notification()).delivery)
    backend.post_message(agent=ENGINEER, task=TASK, content="The stored answer.", key=office.row)

    assert office.attempt() == ANSWERED
    assert len(backend.posts) == 1


def test_a_mark_that_fails_is_repeated_without_posting_again() -> None:
    office = office_for()
    office.diary.prepare("mark_delivered", errors.BackendUncertain("lost"))

    office.attempt()
    office.diary.calls.clear()

    assert office.attempt() == ANSWERED
    assert office.effects() == ["mark_delivered"]


def test_a_message_that_is_refused_for_good_kills_the_delivery() -> None:
    office = office_for()
    office.diary.prepare("post_message", errors.BackendRefused("not assigned"))

    assert cause_of_death(office.attempt()) == "backend_refused"
    assert office.backend.is_delivered(office.row)


@pytest.mark.parametrize("call", ["post_message", "mark_delivered"])
def test_a_row_that_was_deleted_meanwhile_needs_nothing_more(call: str) -> None:
    office = office_for()
    office.diary.prepare(call, errors.RowGone("no such notification"))

    assert isinstance(office.attempt(), Settled)


def test_a_backend_that_cannot_be_read_costs_no_attempt_and_nobody_is_asked() -> None:
    office = office_for()
    office.diary.prepare("fetch_context", errors.BackendUnavailable("overloaded"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.WAIT
    assert office.gateway.asks == []


def test_a_defect_of_ours_spends_an_attempt() -> None:
    office = office_for()
    office.diary.prepare("ask", RuntimeError("a bug"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert (outcome.cause, outcome.spends) == ("defect", Spent.ATTEMPT)
    assert office.effects() == ["mark_begun", "ask", "mark_ended"]


def test_item_76_a_delivery_dies_after_its_last_attempt_journalled_and_marked() -> None:
    office = office_for()
    office.diary.prepare("ask", *[errors.AskFailed("500")] * BOUNDS.max_attempts)

    *rests, last = office.attempts()

    assert len(rests) == BOUNDS.max_attempts - 1
    assert cause_of_death(last) == "ask_failed"
    assert office.backend.is_delivered(office.row)
    assert office.mailboxes.journals[-1].stage is Stage.DYING
    assert office.mailboxes.journals[-1].cause == "ask_failed"
    calls = office.diary.calls
    assert calls.index("journal:dying") < calls.index("mark_delivered") < len(calls) - 1


def test_a_dying_delivery_waits_while_the_backend_is_away_and_is_never_asked_again() -> None:
    office = office_for()
    office.mailboxes.prepare(attempts=BOUNDS.max_attempts - 1)
    office.diary.prepare("ask", errors.AskFailed("500"))
    office.diary.prepare("mark_delivered", *[errors.BackendUnavailable("away")] * 3)

    *rests, last = office.attempts()

    assert [rest.spends for rest in rests if isinstance(rest, Resting)] == [Spent.WAIT] * 3
    assert cause_of_death(last) == "ask_failed"
    assert len(office.gateway.asks) == 1


def test_a_dying_delivery_whose_mark_is_refused_is_dead_all_the_same() -> None:
    office = office_for()
    office.left_behind(answered(Stage.DYING, cause="ask_failed"))
    office.diary.prepare("mark_delivered", *[errors.BackendRefused("no")] * 5)

    assert isinstance(office.attempts()[-1], Dead)
    assert office.gateway.asks == []


def test_an_unreadable_journal_is_not_a_reason_to_ask() -> None:
    """A newer program wrote it: the answer may be in there, and is paid for."""
    office = office_for()
    office.mailboxes.prepare(journal_text='{"v": 99, "stage": "dreaming"}')

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.cause == "journal_unreadable"
    assert office.effects() == []


@pytest.mark.parametrize("call", ["mark_ended", "mark_delivered"])
def test_a_defect_while_an_attempt_ends_becomes_an_outcome_too(call: str) -> None:
    """Else the lease runs out, the next worker meets the same defect, and so on for ever."""
    office = office_for()
    office.mailboxes.prepare(attempts=BOUNDS.max_attempts - 1)
    office.diary.prepare("ask", errors.AskFailed("500"))
    office.diary.prepare(call, RuntimeError("a bug"))

    assert isinstance(office.attempt(), Resting | Dead)
