"""A thread that has finished a delivery goes on with what is due next."""

from dispatcher.flows.deliver import deliver
from tests.fakes.deliveries import ANSWERED, office_for


def test_the_next_delivery_is_worked_on_without_a_ring() -> None:
    office = office_for()
    office.mailboxes.follows = 2

    assert deliver(office.conversation, desk=office.desk, goes_on=lambda: True) is None

    assert office.mailboxes.outcomes == [ANSWERED] * 3
    assert office.diary.calls.count("claim") == 1
    assert office.bell.rung == []


def test_who_stops_has_the_next_one_rung() -> None:
    office = office_for()
    office.mailboxes.follows = 2
    answers = iter([True, False])

    deliver(office.conversation, desk=office.desk, goes_on=lambda: next(answers))

    assert office.mailboxes.outcomes == [ANSWERED] * 2
    assert office.bell.rung == [office.conversation]
