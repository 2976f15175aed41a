"""One look at everything, for the command line and the console: bounded, however much waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from dispatcher.domain.activity import Activity
from dispatcher.domain.diagnosis import Limits, diagnose, runtime_is_silent
from dispatcher.domain.ids import AgentId
from dispatcher.domain.roster import Roster
from dispatcher.domain.standing import Places, Problem, Standing, Where
from dispatcher.domain.world import World
from dispatcher.ports import Mailboxes, RosterStore, Stats, Survey

LATELY = timedelta(minutes=10)
"""Over so long what happened per minute is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at a glance.

    Attributes:
        problems: What is wrong and what to do about it, the worst first.
        names: What people call the agents, by their ids.
        hour: What happened minute by minute.
    """

    stats: Stats
    world: World
    standing: Standing
    running: Places
    waiting: Places
    resting: Places
    problems: tuple[Problem, ...]
    names: Mapping[AgentId, str]
    hour: Activity

    @property
    def behind(self) -> int:
        """Return how many deliveries wait behind another one of their conversation."""
        heads = self.running.total + self.waiting.total + self.resting.total
        return max(0, self.stats.open - heads)


def look_around(
    *, survey: Survey, mailboxes: Mailboxes, roster: RosterStore, limits: Limits, most: int
) -> Overview:
    """Look at everything once.

    Args:
        survey: The store, for people.
        mailboxes: Its counts, and what deliveries wait for.
        roster: What the agents are called.
        limits: From when on something is a problem.
        most: So many mailboxes of each kind are listed.

    Raises:
        StoreError: Redis is away.
    """
    stats, world, standing = mailboxes.stats(), mailboxes.world(), survey.standing()
    names = names_of(roster.read())
    shared = diagnose(
        standing,
        world,
        oldest_wait=stats.oldest_wait(),
        dead=stats.dead,
        limits=limits,
        names=names,
    )
    silent = runtime_is_silent(standing)
    told = standing.report.problems if standing.report else ()
    return Overview(
        stats=stats,
        world=world,
        standing=standing,
        running=survey.places(Where.RUNNING, most=most),
        waiting=survey.places(Where.WAITING, most=most),
        resting=survey.places(Where.RESTING, most=most),
        problems=(*((silent,) if silent else ()), *told, *shared),
        names=names,
        hour=survey.last_hour(),
    )


def names_of(roster: Roster | None) -> dict[AgentId, str]:
    """Return what people call the agents: their slugs."""
    members = roster.members if roster else ()
    return {one.agent_id: one.agent.slug for one in members if one.agent.slug}
