"""When agents are woken by themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from dispatcher.domain.ids import AgentId


class Heartbeats(Protocol):
    """The plan of heartbeats, which survives restarts; may raise ``StoreUnavailable``."""

    def plan(self, agents: Sequence[tuple[AgentId, timedelta, timedelta]], *, term: int) -> None:
        """Let the plan follow the roster.

        Args:
            agents: Each with its interval, and the wait before its first heartbeat, which counts
                only when it is new or its interval has changed.
            term: Of the leader.

        Raises:
            LeadLost: Another runtime leads.
        """
        ...

    def take_due(self, *, term: int) -> tuple[datetime, tuple[AgentId, ...]]:
        """Take what is due now; return the time by the store's clock, and the agents.

        Raises:
            LeadLost: Another runtime leads.
        """
        ...

    def end(self, agent: AgentId, *, seen: str) -> None:
        """Plan an agent's next heartbeat from now; ``seen`` is what this one could act on."""
        ...

    def seen(self, agent: AgentId) -> str:
        """Return what the last heartbeat of an agent could act on; empty when nobody knows."""
        ...
