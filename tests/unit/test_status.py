"""Telling the backend how we are: at once, regularly, on change, and only by the leader."""

from datetime import timedelta
from typing import Any

import pytest

from dispatcher.domain.errors import BackendUnavailable
from dispatcher.runtime.status import StatusReports
from tests.fakes.clock import ManualClock

EVERY = timedelta(seconds=30)


class Office:
    """A backend, a health and a lead, as a test sets them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sent: list[tuple[str, dict[str, Any] | None]] = []
        self.wellness = True
        self.is_rejected = False
        self.leads: int | None = 1
        self.knows_who_leads = True
        self.failure: Exception | None = None
        self.reports = StatusReports(self, self, self, clock=self.clock, every=EVERY)  # type: ignore[arg-type]

    def report_status(self, status: str, config: dict[str, Any] | None = None) -> None:
        if self.failure:
            raise self.failure
        self.sent.append((status, config))

    def is_well(self) -> bool:
        return self.wellness

    def report(self) -> dict[str, Any]:
        return {"lastHealthCheck": round(self.clock.monotonic())}

    def are_credentials_rejected(self) -> bool:
        return self.is_rejected

    def term(self) -> int | None:
        return self.leads

    def is_known(self) -> bool:
        return self.knows_who_leads

    def pass_time(self, seconds: float) -> list[str]:
        """Let rounds come every half second; return what was told meanwhile."""
        before = len(self.sent)
        for _ in range(round(seconds * 2)):
            self.reports.round()
            self.clock.advance(timedelta(seconds=0.5))
        return [status for status, _ in self.sent[before:]]


@pytest.fixture
def office() -> Office:
    return Office()


def test_item_168_the_first_report_comes_at_once_and_the_next_ones_regularly(office) -> None:
    assert office.pass_time(0.5) == ["online"]
    assert office.pass_time(29) == []
    assert office.pass_time(60) == ["online", "online"]
    assert all(config for _, config in office.sent)


def test_a_change_is_told_at_once(office: Office) -> None:
    office.pass_time(10)

    office.wellness = False
    assert office.pass_time(1) == ["degraded"]
    office.wellness = True
    assert office.pass_time(6) == ["online"]


def test_a_state_that_flickers_floods_nobody(office: Office) -> None:
    told = 0
    for _ in range(60):
        told += len(office.pass_time(0.5))
        office.wellness = not office.wellness

    assert told <= 7


def test_a_start_has_a_moment_to_get_well(office: Office) -> None:
    """Whoever was offline is told to be back only when the first report says online."""
    office.wellness = False

    assert office.pass_time(4) == []
    office.wellness = True
    assert office.pass_time(1) == ["online"]


def test_whoever_does_not_get_well_says_so(office: Office) -> None:
    office.wellness = False

    assert office.pass_time(6) == ["degraded"]


def test_a_standby_says_nothing_and_reports_at_once_when_it_leads(office: Office) -> None:
    office.leads = None
    assert office.pass_time(40) == []

    office.leads = 2
    assert office.pass_time(1) == ["online"]


def test_whoever_has_reported_goes_on_while_redis_is_away(office: Office) -> None:
    """Nobody leads then, and the backend must not take all of us for gone."""
    office.pass_time(1)

    office.leads, office.knows_who_leads = None, False
    assert office.pass_time(60) == ["online", "online"]


def test_a_standby_stays_silent_while_redis_is_away(office: Office) -> None:
    office.leads, office.knows_who_leads = None, False

    assert office.pass_time(60) == []
    office.reports.leave(others=None)
    assert office.sent == []


def test_whoever_has_reported_says_goodbye_when_nobody_knows_of_others(office: Office) -> None:
    office.pass_time(1)

    office.reports.leave(others=None)

    assert office.sent[-1] == ("offline", None)


def test_a_report_that_did_not_arrive_is_sent_again_soon(office: Office) -> None:
    office.failure = BackendUnavailable("away")
    with pytest.raises(BackendUnavailable):
        office.reports.round()
    office.failure = None

    assert office.pass_time(6) == ["online"]


def test_a_backend_that_rejects_us_is_not_called(office: Office) -> None:
    office.is_rejected = True

    assert office.pass_time(40) == []
    office.reports.leave(others=0)
    assert office.sent == []


@pytest.mark.parametrize(("others", "told"), [(0, [("offline", None)]), (1, [])])
def test_item_171_only_the_last_runtime_says_that_nobody_is_here(
    office: Office, others: int, told: list[tuple[str, None]]
) -> None:
    office.reports.leave(others=others)

    assert office.sent == told


def test_leaving_does_not_fail_when_the_backend_is_away(office: Office) -> None:
    office.failure = BackendUnavailable("away")

    office.reports.leave(others=0)
