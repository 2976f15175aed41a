"""The clock of heartbeats: a crew is spread, and a newcomer wakes at once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from dispatcher.domain.ids import AgentId
from dispatcher.domain.roster import Roster
from dispatcher.runtime.heartbeats import HeartbeatClock
from tests.fakes.clock import ManualClock
from tests.samples import ENGINEER, LEAD, WRITER
from tests.unit.test_sync import A, B, C


class Office:
    """A roster, a plan and a gateway, as a test sets them."""

    def __init__(self) -> None:
        self.settings = SimpleNamespace(heartbeats=True)
        self.clock = ManualClock()
        self.roster = self.heartbeats = self
        self.members = (A, B)
        self.version = 1
        self.is_ready = True
        self.planned: list[dict[AgentId, float]] = []
        parts: Any = self
        self.beats = HeartbeatClock(parts, parts, is_gateway_ready=lambda: self.is_ready)

    def term(self) -> int:
        return 1

    def read(self) -> Roster:
        return Roster(
            members=self.members, orchestrator=None, heard_at=self.clock.now(), version=self.version
        )

    def plan(self, agents: Sequence[tuple[AgentId, timedelta, timedelta]], *, term: int) -> None:
        self.planned.append({agent: first.total_seconds() for agent, _, first in agents})

    def take_due(self, *, term: int) -> tuple[datetime, tuple[AgentId, ...]]:
        return self.clock.now(), ()


def test_item_138_the_first_ones_are_spread() -> None:
    office = Office()

    office.beats.round()

    (first,) = office.planned
    assert first[ENGINEER] <= 2
    # Half of two fifths of five minutes.
    assert 60 <= first[WRITER] <= 62


def test_whoever_comes_later_wakes_at_once() -> None:
    office = Office()
    office.beats.round()

    office.members, office.version = (A, B, C), 2
    office.beats.round()

    assert office.planned[-1][LEAD] <= 2
    assert office.planned[-1][WRITER] >= 40


def test_nothing_is_planned_while_the_gateway_is_away() -> None:
    office = Office()
    office.is_ready = False

    office.beats.round()
    assert office.planned == []
    office.is_ready = True
    office.beats.round()

    assert len(office.planned) == 1


def test_switched_off_nobody_stays_planned() -> None:
    """Else the pages would tell of heartbeats that never come."""
    office = Office()
    office.settings.heartbeats = False

    for _ in range(3):
        office.beats.round()

    assert office.planned == [{}]
