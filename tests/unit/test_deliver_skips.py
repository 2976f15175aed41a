"""What is not delivered: rows that are gone, closed, incomplete or delivered elsewhere."""

import logging
from typing import Any

import pytest

from dispatcher.domain.delivery import Resting, Settled, Spent
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Kind
from tests.fakes.deliveries import ANSWERED, office_for
from tests.samples import context, notification, task


def test_item_32_a_row_that_cannot_be_found_causes_no_call() -> None:
    office = office_for()
    office.backend.delete(office.row)

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert office.effects() == []
    assert all(result != "settled" for _, result, _ in office.tally.attempts)


def test_a_row_that_cannot_be_found_three_times_is_forgotten() -> None:
    office = office_for()
    office.backend.delete(office.row)

    first, second, third = office.attempts()

    assert isinstance(first, Resting)
    assert isinstance(second, Resting)
    assert first.spends is second.spends is Spent.LOOK
    assert third == Settled(outcome="context_missing")
    assert office.effects() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"agent": None}, "missing_agent", id="item_33"),
        pytest.param({"task": None}, "missing_task", id="item_34"),
        pytest.param(
            {"notification": notification(kind=Kind.THREAD_UPDATE), "task": task(status="done")},
            "task_closed",
            id="policy",
        ),
    ],
)
def test_items_33_34_36_what_is_skipped_is_marked_and_nothing_else(
    changes: dict[str, Any], reason: str
) -> None:
    """No typing, no ask, no message."""
    office = office_for(**changes)

    assert office.attempt() == Settled(outcome=f"skipped_{reason}")
    assert [call for call in office.effects() if call != "fetch_context"] == ["mark_delivered"]


def test_items_35_and_85_a_session_key_is_waited_for_and_then_the_row_is_marked_with_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = office_for(session_key=None)

    first, second, third = office.attempts()

    assert isinstance(first, Resting)
    assert isinstance(second, Resting)
    assert third == Settled(outcome="skipped_missing_session_key")
    assert office.effects() == ["mark_delivered"]
    assert [line for line in caplog.records if line.levelno == logging.ERROR]


def test_item_35_a_session_key_that_comes_later_is_used() -> None:
    office = office_for(session_key=None)
    office.attempt()

    office.backend.change(office.row, session_key=context().session_key)

    assert office.attempt() == ANSWERED


def test_a_row_that_was_delivered_elsewhere_is_left_alone() -> None:
    office = office_for(notification=notification(is_delivered=True))

    assert office.attempt() == Settled(outcome="delivered_elsewhere")
    assert office.effects() == []


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_carried_or_begun_delivery_runs_although_its_row_is_marked(has_journal: bool) -> None:
    row = notification(is_delivered=True)
    office = office_for(notification=row, is_carried=not has_journal)
    if has_journal:
        office.left_behind(Journal(stage=Stage.ASKED, asks=1))

    assert office.attempt() == ANSWERED
    assert len(office.gateway.asks) == 1
