"""Deliveries that killed their workers run alone; the death of that process proves them poison."""

import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Claim, Dead, Resting, Settled, Spent
from dispatcher.domain.journal import Journal, Stage, dump
from dispatcher.flows.deliver import work_on
from dispatcher.ports import Hold, Isolation
from tests.fakes.deliveries import ANSWERED, answered, cause_of_death, office_for
from tests.fakes.desk import Office
from workers.quarantine import isolation_of


class FakeQuarantine:
    """See ``dispatcher.ports.Quarantine``.

    Attributes:
        ran: The claims that were given to it.
        does: What its process does before it ends or dies.
    """

    def __init__(self, *, survives: bool, does: Callable[[Claim], None] = lambda _: None) -> None:
        self._survives = survives
        self.does = does
        self.ran: list[Claim] = []

    def run(self, claim: Claim, *, hold: Hold) -> Isolation:
        self.ran.append(claim)
        self.does(claim)
        return Isolation.ENDED if self._survives else Isolation.DIED


def struck_office(strikes: int, quarantine: FakeQuarantine) -> Office:
    office = office_for()
    office.desk = replace(office.desk, quarantine=quarantine)
    office.mailboxes.prepare(strikes=strikes)
    return office


def inside(office: Office) -> Callable[[Claim], None]:
    """Do what the process in quarantine does: work on the claim, without a quarantine of its own."""

    def work(claim: Claim) -> None:
        desk = replace(office.desk, quarantine=None)
        work_on(claim, since=office.clock.monotonic(), desk=desk)

    return work


@pytest.mark.parametrize("strikes", [0, 1])
def test_one_death_is_no_reason_for_suspicion(strikes: int) -> None:
    quarantine = FakeQuarantine(survives=True)
    office = struck_office(strikes, quarantine)

    assert office.attempt() == ANSWERED
    assert quarantine.ran == []


def test_after_two_deaths_a_delivery_runs_in_a_process_of_its_own() -> None:
    quarantine = FakeQuarantine(survives=True)
    office = struck_office(2, quarantine)

    assert office.attempt() is None

    assert [claim.delivery for claim in quarantine.ran] == [office.mailboxes.head.delivery]
    assert office.effects() == []
    assert office.mailboxes.outcomes == []


def test_what_its_process_settles_is_settled_once() -> None:
    quarantine = FakeQuarantine(survives=True)
    office = struck_office(2, quarantine)
    quarantine.does = inside(office)

    assert office.attempt() == ANSWERED

    assert office.mailboxes.outcomes == [ANSWERED]
    assert len(office.backend.posts) == 1


def test_in_quarantine_nothing_is_put_into_quarantine_again() -> None:
    office = office_for()
    office.mailboxes.prepare(strikes=5)
    office.desk = replace(office.desk, quarantine=None)

    assert office.attempt() == ANSWERED


def test_a_delivery_whose_process_dies_is_poison() -> None:
    office = struck_office(2, FakeQuarantine(survives=False))

    assert cause_of_death(office.attempt()) == "poison"


def test_people_are_told_in_the_thread_and_the_row_is_marked() -> None:
    office = struck_office(2, FakeQuarantine(survives=False))

    office.attempt()

    (notice,) = office.backend.posts
    assert not notice.wakes_agents
    assert "could not" in notice.content
    assert office.backend.is_delivered(office.row)
    calls = office.diary.calls
    order = [calls.index(name) for name in ("journal:dying", "post_message", "mark_delivered")]
    assert order == sorted(order)
    assert calls.index("settle") > order[-1]


def test_the_journal_of_the_dead_process_is_kept_for_a_person() -> None:
    """It wrote further than its parent had read: an answer that was paid for must not be lost."""
    office = struck_office(2, FakeQuarantine(survives=False))
    office.desk.quarantine.does = lambda _: office.mailboxes.prepare(journal_text=dump(answered()))

    office.attempt()

    last = office.mailboxes.journals[-1]
    assert (last.stage, last.cause) == (Stage.DYING, "poison")
    assert last.reply == answered().reply


def test_typing_does_not_show_for_ever_when_a_process_dies_and_the_mark_must_wait() -> None:
    office = struck_office(2, FakeQuarantine(survives=False))
    office.diary.prepare("mark_delivered", errors.BackendUnavailable("away"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert "mark_ended" in office.effects()


def test_a_poisoned_delivery_waits_for_its_mark_and_is_never_run_again() -> None:
    quarantine = FakeQuarantine(survives=False)
    office = struck_office(2, quarantine)
    office.diary.prepare("mark_delivered", *[errors.BackendUnavailable("away")] * 2)

    first = office.attempt()
    office.desk = replace(office.desk, quarantine=None)
    *_, last = office.attempts()

    assert isinstance(first, Resting)
    assert cause_of_death(last) == "poison"
    assert office.gateway.asks == []


def test_a_dying_delivery_does_not_need_another_process_to_be_finished() -> None:
    quarantine = FakeQuarantine(survives=True)
    office = struck_office(2, quarantine)
    quarantine.does = inside(office)
    office.left_behind(Journal(stage=Stage.DYING, cause="poison"))

    assert office.attempts()[-1] == Dead(cause="poison")
    assert office.gateway.asks == []


@pytest.mark.parametrize("strikes", [10, 11, 50])
def test_who_lost_ten_workers_is_dead_without_another_try(strikes: int) -> None:
    quarantine = FakeQuarantine(survives=True)
    office = struck_office(strikes, quarantine)

    assert cause_of_death(office.attempt()) == "poison"
    assert quarantine.ran == []


def test_nine_lost_workers_are_not_enough() -> None:
    quarantine = FakeQuarantine(survives=True)

    assert struck_office(9, quarantine).attempt() is None
    assert len(quarantine.ran) == 1


@pytest.mark.parametrize("strikes", [2, 10])
def test_a_journal_that_nobody_can_read_does_not_keep_poison_alive(strikes: int) -> None:
    office = struck_office(strikes, FakeQuarantine(survives=False))
    office.mailboxes.prepare(journal_text="{broken")

    assert cause_of_death(office.attempt()) == "poison"


def test_a_claim_that_was_lost_meanwhile_is_not_ended_by_us() -> None:
    """Its process died because it was told to: another worker has the delivery."""
    office = struck_office(2, FakeQuarantine(survives=False))
    office.desk.quarantine.does = lambda _: office.lose_claim()

    assert office.attempt() is None
    assert office.effects() == []


def test_a_delivery_that_gets_well_in_quarantine_is_like_any_other() -> None:
    quarantine = FakeQuarantine(survives=True)
    office = struck_office(2, quarantine)
    quarantine.does = inside(office)
    office.diary.prepare("ask", errors.AskFailed("500"))

    rest, last = office.attempt(), office.attempt()

    assert isinstance(rest, Resting)
    assert isinstance(last, Settled)


def test_without_a_place_a_suspect_waits_in_its_mailbox_and_loses_nothing() -> None:
    """Waiting with the claim would keep a slot from everybody else."""

    class Full:
        def run(self, claim: Claim, *, hold: Hold) -> Isolation:
            return Isolation.UNDONE

    office = struck_office(2, Full())

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.NOTHING
    assert office.gateway.asks == []


class Failing:
    """A quarantine whose process ends by a defect each time."""

    def run(self, claim: Claim, *, hold: Hold) -> Isolation:
        return Isolation.FAILED


def test_a_process_that_fails_by_a_defect_spends_an_attempt() -> None:
    """Else a conversation would wait for ever, and nobody would be told."""
    office = struck_office(2, Failing())

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert (outcome.cause, outcome.spends) == ("defect", Spent.ATTEMPT)


def test_a_process_that_never_does_anything_else_is_given_up() -> None:
    office = struck_office(2, Failing())
    office.mailboxes.prepare(strikes=2, attempts=office.desk.bounds.max_attempts - 1)

    assert cause_of_death(office.attempt()) == "defect"


@pytest.mark.parametrize(
    ("code", "is_ours", "found"),
    [
        (0, False, Isolation.ENDED),
        (0, True, Isolation.ENDED),
        (1, False, Isolation.FAILED),
        (1, True, Isolation.UNDONE),
        (75, False, Isolation.UNDONE),
        (-signal.SIGKILL, False, Isolation.DIED),
        (-signal.SIGSEGV, False, Isolation.DIED),
        (-signal.SIGKILL, True, Isolation.UNDONE),
        (-signal.SIGTERM, False, Isolation.UNDONE),
    ],
)
def test_the_exit_code_tells_what_became_of_the_process(
    code: int, is_ours: bool, found: Isolation
) -> None:
    assert isolation_of(code, is_ours=is_ours) is found
