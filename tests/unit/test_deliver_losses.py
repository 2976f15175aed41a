"""A delivery that is taken away: by another worker, a lost store, or the end of our own worker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Claim, Resting, Spent
from dispatcher.domain.errors import LeaseLost
from dispatcher.flows.deliver import deliver
from tests.fakes.deliveries import ANSWERED, office_for
from tests.fakes.desk import Office

EVERY_EFFECT = ("mark_begun", "ask", "post_message", "mark_delivered")


@pytest.mark.parametrize("at", ["fetch_context", "mark_begun", "journal:asked", "ask",
                                "journal:posting", "post_message",
                                "journal:marking"])  # fmt: skip
def test_after_the_claim_is_lost_nothing_outside_is_touched(at: str) -> None:
    """Another worker has it now: a second message or a swallowed one would be the price."""
    office = office_for()
    office.diary.prepare(at, office.lose_claim)

    assert office.attempt() is None
    assert [call for call in office.effects() if call in EVERY_EFFECT] == [
        call
        for call in EVERY_EFFECT
        if call in office.diary.calls[: office.diary.calls.index(at) + 1]
    ]
    assert "mark_ended" not in office.diary.calls
    assert office.mailboxes.outcomes == []
    assert office.bell.rung == []
    assert office.tally.attempts == [("mention", "lost", "lease_lost")]


@pytest.mark.parametrize(
    "error", [errors.AskCancelled("closed"), errors.AskLost("reset"), RuntimeError("a bug")]
)
def test_a_broken_ask_of_a_lost_claim_is_a_lost_claim(error: Exception) -> None:
    """The watchdog closed the connection: that is no failure of the delivery."""
    office = office_for()

    def lose() -> None:
        office.lose_claim()
        raise error

    office.diary.prepare("ask", lose)

    assert office.attempt() is None
    assert office.effects() == ["mark_begun", "ask"]


def test_an_answer_that_comes_after_the_loss_is_thrown_away() -> None:
    office = office_for()
    office.diary.prepare("ask", office.lose_claim)

    office.attempt()

    assert all(journal.reply is None for journal in office.mailboxes.journals)
    assert office.backend.posts == []


@pytest.mark.parametrize("at", ["journal:asked", "journal:marking", "settle"])
def test_a_lost_store_ends_the_attempt_without_an_outcome(at: str) -> None:
    """The journal says how far we are; the sweeper hands the delivery on."""
    office = office_for()
    office.diary.prepare(at, errors.StoreUnavailable("redis is away"))

    assert office.attempt() is None
    assert office.tally.attempts == [("mention", "lost", "store_unavailable")]
    assert "mark_ended" not in office.diary.calls


def test_an_answer_is_kept_until_the_store_is_back() -> None:
    """It is paid for, and the claim is still ours."""
    office = office_for()
    office.diary.prepare("journal:posting", errors.StoreUnavailable("redis is away"))

    assert office.attempt() == ANSWERED
    assert len(office.gateway.asks) == 1


def test_a_store_that_is_lost_before_the_claim_is_told_to_the_caller() -> None:
    office = office_for()
    office.diary.prepare("claim", errors.StoreUnavailable("redis is away"))

    with pytest.raises(errors.StoreUnavailable):
        deliver(office.conversation, desk=office.desk)


def test_a_worker_that_drains_gives_its_delivery_back_unspent() -> None:
    office = office_for()
    office.diary.prepare("ask", errors.AskCancelled("the worker drains"))

    first, second = office.attempts()

    assert first == Resting(delay=timedelta(0), cause="draining", spends=Spent.NOTHING)
    assert second == ANSWERED


def test_a_lease_that_is_lost_right_before_the_mark_keeps_the_row_unmarked() -> None:
    """The worker's own clock says so; the store may not know it yet."""
    office = office_for()
    office.desk = replace(office.desk, holds=LostBeforeTheMark(office))

    assert office.attempt() is None

    assert "journal:marking" in office.diary.calls
    assert not office.backend.is_delivered(office.row)


class LostBeforeTheMark:
    """Holds that are lost as soon as marking is journalled."""

    def __init__(self, office: Office) -> None:
        self._office = office

    @contextmanager
    def hold(self, claim: Claim, *, since: float) -> Iterator["LostBeforeTheMark"]:
        yield self

    def check(self) -> None:
        if "journal:marking" in self._office.diary.calls:
            raise LeaseLost("the lease was not confirmed in time")

    @contextmanager
    def on_loss(self, cancel: Callable[[], None]) -> Iterator[None]:
        yield
