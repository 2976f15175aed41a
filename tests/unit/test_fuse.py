"""The fuse: when many would die of one cause, the gateway is to blame and nobody dies."""

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Dead, Resting, Sign, Spent
from dispatcher.domain.journal import Stage
from dispatcher.domain.retry import Cause, is_fused
from tests.fakes.deliveries import answered, cause_of_death, office_for
from tests.fakes.desk import BOUNDS, Office

GATEWAYS = [
    (errors.AskFailed("500"), "ask_failed", Sign.ANSWERS),
    (errors.AskTimedOut("60 s"), "ask_timed_out", Sign.UNCLEAR),
    (errors.AskLost("reset"), "ask_lost", Sign.UNCLEAR),
]


def at_its_last_attempt(*, is_fused: bool) -> Office:
    office = office_for()
    office.mailboxes.prepare(attempts=BOUNDS.max_attempts - 1)
    office.mailboxes.is_fused = is_fused
    return office


@pytest.mark.parametrize(("error", "cause", "sign"), GATEWAYS)
def test_a_delivery_is_spared_when_too_many_die_of_its_cause(error, cause: str, sign: Sign) -> None:
    office = at_its_last_attempt(is_fused=True)
    office.diary.prepare("ask", error)

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert (outcome.cause, outcome.spends, outcome.sign) == (cause, Spent.NOTHING, sign)


@pytest.mark.parametrize(("error", "cause", "sign"), GATEWAYS)
def test_a_delivery_dies_when_few_die_of_its_cause(error, cause: str, sign: Sign) -> None:
    office = at_its_last_attempt(is_fused=False)
    office.diary.prepare("ask", error)

    assert office.attempt() == Dead(cause=cause, sign=sign)


def test_who_is_spared_is_neither_told_of_nor_marked_and_stops_typing() -> None:
    office = at_its_last_attempt(is_fused=True)
    office.diary.prepare("ask", errors.AskFailed("500"))

    office.attempt()

    assert office.effects() == ["mark_begun", "ask", "mark_ended"]
    assert not office.backend.is_delivered(office.row)
    assert Stage.DYING not in {journal.stage for journal in office.mailboxes.journals}


def test_who_is_spared_is_answered_once_the_gateway_is_well() -> None:
    office = at_its_last_attempt(is_fused=True)
    office.diary.prepare("ask", errors.AskFailed("500"), errors.AskFailed("500"))

    *rests, last = office.attempts()

    assert len(rests) == 2
    assert not isinstance(last, Resting | Dead)
    assert len(office.backend.posts) == 1


def test_a_request_that_is_refused_for_good_may_be_the_gateways_fault_too() -> None:
    office = office_for()
    office.mailboxes.is_fused = True
    office.diary.prepare("ask", errors.AskRefused("413"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.NOTHING


@pytest.mark.parametrize(
    "error", [errors.BackendRefused("not assigned"), RuntimeError("a bug of ours")]
)
def test_deaths_that_the_gateway_has_no_part_in_are_not_fused(error: Exception) -> None:
    office = at_its_last_attempt(is_fused=True)
    office.left_behind(answered())
    office.mailboxes.prepare(attempts=BOUNDS.max_attempts - 1)
    office.diary.prepare("post_message", error)

    assert cause_of_death(office.attempt()) in {"backend_refused", "defect"}


def test_no_failure_of_ours_or_of_the_backend_is_fused() -> None:
    fused = {cause for cause in Cause if is_fused(cause)}

    assert fused <= {
        Cause.ASK_FAILED, Cause.ASK_TIMED_OUT, Cause.ASK_LOST, Cause.ASK_REFUSED,
        Cause.AGENT_UNAVAILABLE,
    }  # fmt: skip


def test_a_claim_that_is_lost_while_the_fuse_is_asked_changes_nothing() -> None:
    office = at_its_last_attempt(is_fused=False)
    office.diary.prepare("ask", errors.AskFailed("500"))
    office.diary.prepare("mark_ended", office.lose_claim)

    assert office.attempt() is None
    assert "mark_delivered" not in office.effects()
