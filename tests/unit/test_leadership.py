"""A runtime leads only while it can be sure of it."""

from datetime import timedelta

from dispatcher.domain.errors import StoreUnavailable
from dispatcher.runtime.leadership import LEASE, Leadership
from tests.fakes.clock import ManualClock


class FakeLead:
    """Gives the terms that a test prepared; an error is raised."""

    def __init__(self, *terms: int | Exception | None) -> None:
        self.terms = list(terms)
        self.resigned = 0

    def take(self) -> int | None:
        term = self.terms.pop(0)
        if isinstance(term, Exception):
            raise term
        return term

    def resign(self) -> int:
        self.resigned += 1
        return 1


def test_nobody_leads_before_the_store_was_asked() -> None:
    leadership = Leadership(FakeLead(), ManualClock())
    assert leadership.term() is None
    assert not leadership.is_known()


def test_the_term_counts_while_it_is_renewed() -> None:
    clock = ManualClock()
    leadership = Leadership(FakeLead(7, 7), clock)
    leadership.round()
    clock.advance(timedelta(seconds=5))
    leadership.round()
    clock.advance(timedelta(seconds=5))
    assert leadership.term() == 7


def test_a_runtime_that_was_frozen_does_not_lead_when_it_wakes_up() -> None:
    """Its lease may have run out meanwhile, and another one may lead."""
    clock = ManualClock()
    leadership = Leadership(FakeLead(7), clock)
    leadership.round()
    clock.advance(LEASE - timedelta(seconds=2))
    assert leadership.term() is None
    assert not leadership.is_known()


def test_a_standby_knows_that_it_stands_by() -> None:
    leadership = Leadership(FakeLead(None), ManualClock())
    leadership.round()
    assert leadership.term() is None
    assert leadership.is_known()


def test_resigning_ends_the_lead_at_once_even_with_redis_away() -> None:
    lead = FakeLead(7)
    leadership = Leadership(lead, ManualClock())
    leadership.round()
    lead.resign = lambda: (_ for _ in ()).throw(StoreUnavailable("away"))
    assert leadership.resign() is None
    assert leadership.term() is None


def test_a_round_that_was_late_does_not_take_the_lead_again() -> None:
    """Whoever has resigned is about to end: nobody would lead for a lease."""
    lead = FakeLead(7, 8)
    leadership = Leadership(lead, ManualClock())
    leadership.round()

    assert leadership.resign() == 1
    leadership.round()

    assert leadership.term() is None
    assert lead.terms == [8]
