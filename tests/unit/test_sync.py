"""Hearing of the crew: who comes works at once, who leaves stops, and a bad answer changes nothing."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from dispatcher.domain.errors import BackendUnavailable
from dispatcher.domain.ids import AgentId, SessionKey
from dispatcher.domain.notification import Agent, Flags
from dispatcher.domain.roster import Changes, Member, Roster, compare, troubles
from dispatcher.flows.sync import Synced, sync_once
from tests.fakes.clock import ManualClock
from tests.fakes.desk import FakeTally
from tests.samples import ENGINEER, LEAD, WRITER


def member(agent: AgentId, slug: str = "", **changes: object) -> Member:
    facts: dict[str, object] = {
        "agent": Agent(agent_id=agent, name=slug.title(), slug=slug, role="R"),
        "flags": Flags(),
        "session_key": SessionKey(f"system:agent:{slug}:acc:v1"),
        "heartbeat": timedelta(minutes=5),
    }
    return Member(**(facts | changes))


A, B, C = member(ENGINEER, "engineer"), member(WRITER, "writer"), member(LEAD, "squad-lead")


@dataclass
class Office:
    """A backend with a crew, and a store that remembers the last roster."""

    crew: tuple[Member, ...] = (A, B)
    lead: AgentId | None = None
    failure: Exception | None = None
    roster: Roster | None = None
    terms: list[int] = field(default_factory=list)
    tally: FakeTally = field(default_factory=FakeTally)
    clock: ManualClock = field(default_factory=ManualClock)

    def members(self) -> tuple[Member, ...]:
        if self.failure:
            raise self.failure
        return self.crew

    def probe(self) -> AgentId | None:
        return self.lead

    def read(self) -> Roster | None:
        return self.roster

    def write(self, roster: Roster, *, term: int) -> None:
        self.roster = roster
        self.terms.append(term)

    def sync(self, **more: bool) -> Synced:
        return sync_once(
            crew=self, store=self, tally=self.tally, clock=self.clock, term=7, **more
        )  # fmt: skip


def test_the_first_sync_shares_everybody() -> None:
    office = Office()

    synced = office.sync()

    assert synced.changes == Changes(added=(ENGINEER, WRITER))
    assert office.roster is not None
    assert office.roster.members == (A, B)
    assert (office.roster.version, office.terms) == (1, [7])
    assert office.tally.syncs == [(2, synced.changes)]


def test_who_comes_changes_and_leaves_is_told() -> None:
    office = Office()
    office.sync()
    renamed = replace(A, heartbeat=timedelta(minutes=1))

    office.crew = (renamed, C)
    synced = office.sync()

    assert synced.changes == Changes(added=(LEAD,), changed=(ENGINEER,), removed=(WRITER,))
    assert office.roster is not None
    assert office.roster.version == 2


def test_a_sync_without_changes_keeps_the_version_and_says_when_it_was() -> None:
    office = Office()
    office.sync()
    office.clock.advance(timedelta(minutes=1))

    assert not office.sync().changes
    assert office.roster is not None
    assert office.roster.version == 1
    assert office.roster.heard_at == office.clock.now()


def test_another_orchestrator_is_a_change_of_the_roster() -> None:
    office = Office()
    office.sync()

    office.lead = LEAD
    office.sync()

    assert office.roster is not None
    assert (office.roster.version, office.roster.orchestrator) == (2, LEAD)


def test_item_154_a_new_system_key_replaces_the_old_one() -> None:
    """Keys of tasks are not of the roster: each turn hears its own from the backend."""
    office = Office()
    office.sync()
    office.crew = (replace(A, session_key=SessionKey("system:agent:engineer:acc:v2")), B)

    synced = office.sync()

    assert synced.changes.changed == (ENGINEER,)
    keys = {member.session_key for member in synced.roster.members}
    assert keys == {SessionKey("system:agent:engineer:acc:v2"), B.session_key}


def test_a_failing_sync_keeps_the_last_roster() -> None:
    office = Office()
    office.sync()
    before = office.roster

    office.failure = BackendUnavailable("away")
    with pytest.raises(BackendUnavailable):
        office.sync()

    assert office.roster is before


def test_nobody_is_believed_only_when_it_is_said_twice() -> None:
    """An empty answer by mistake must not dismiss a whole crew."""
    office = Office()
    office.sync()
    office.crew = ()

    doubted = office.sync()
    assert doubted.is_doubted
    assert office.roster is not None
    assert office.roster.members == (A, B)

    believed = office.sync(believes_nobody=True)
    assert believed.changes.removed == (ENGINEER, WRITER)
    assert office.roster.members == ()
    assert not office.sync().is_doubted


def test_what_cannot_be_reached_is_told() -> None:
    crew = (
        A,
        member(WRITER, "Engineer"),
        member(LEAD, ""),
        replace(member(AgentId("x"), "x"), session_key=None),
    )

    told = troubles(crew)

    assert len(told) == 3
    assert "have one slug" in told[0]
    assert "has no slug" in told[1]
    assert "no system session" in told[2]


def test_five_thousand_agents_are_compared_quickly() -> None:
    many = [member(AgentId(f"a{n}"), f"s{n}") for n in range(5_000)]

    assert compare(many, many) == Changes()
    assert len(compare((), many).added) == 5_000
