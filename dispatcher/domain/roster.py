"""The crew as it was last heard of: who there is, and what each of them may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.domain.ids import AgentId, SessionKey
from dispatcher.domain.notification import Agent, Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One agent of the crew.

    Attributes:
        session_key: Its system session; None when the backend gave none.
        heartbeat: How long between two check-ins.
    """

    agent: Agent
    flags: Flags
    session_key: SessionKey | None
    heartbeat: timedelta

    @property
    def agent_id(self) -> AgentId:
        """Return its id."""
        return self.agent.agent_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The whole crew.

    Attributes:
        members: In the backend's order.
        orchestrator: Who leads it, or None.
        heard_at: When the backend told it, by its reader's clock.
        version: Grows with every change.
    """

    members: tuple[Member, ...]
    orchestrator: AgentId | None
    heard_at: datetime
    version: int = 1

    def find(self, agent: AgentId) -> Member | None:
        """Find a member by its id."""
        return next((one for one in self.members if one.agent_id == agent), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How two rosters differ, by the ids of agents."""

    added: tuple[AgentId, ...] = ()
    changed: tuple[AgentId, ...] = ()
    removed: tuple[AgentId, ...] = ()

    def __bool__(self) -> bool:
        """Say whether they differ."""
        return bool(self.added or self.changed or self.removed)


def compare(before: Sequence[Member], now: Sequence[Member]) -> Changes:
    """Find out who came, who changed and who left."""
    old = {one.agent_id: one for one in before}
    new = {one.agent_id: one for one in now}
    return Changes(
        added=tuple(agent for agent in new if agent not in old),
        changed=tuple(agent for agent in new if agent in old and new[agent] != old[agent]),
        removed=tuple(agent for agent in old if agent not in new),
    )


def troubles(members: Sequence[Member]) -> tuple[str, ...]:
    """Say what is wrong with members that cannot be reached as they are, a sentence each."""
    found: list[str] = []
    slugs: dict[str, str] = {}
    for one in members:
        name = one.agent.name or one.agent_id
        if not one.agent.slug:
            found.append(f"Agent {name} has no slug: the gateway cannot address it.")
        elif one.agent.slug.lower() in slugs:
            twin = slugs[one.agent.slug.lower()]
            found.append(f"Agents {twin} and {name} have one slug, {one.agent.slug}.")
        else:
            slugs[one.agent.slug.lower()] = name
        if one.session_key is None:
            found.append(f"Agent {name} has no system session: it has no heartbeats.")
    return tuple(found)
