"""Who is in the crew: what the backend says, and what all processes remember of it."""

from collections.abc import Sequence
from typing import Protocol

from dispatcher.domain.ids import AgentId
from dispatcher.domain.notification import Agent
from dispatcher.domain.roster import Member, Roster


class Crew(Protocol):
    """The backend's list of agents. Every method may raise any ``BackendError``."""

    def members(self) -> tuple[Member, ...]:
        """List all agents of the account with their rights and system sessions."""
        ...

    def probe(self) -> AgentId | None:
        """Return the orchestrator, or None."""
        ...


class RosterStore(Protocol):
    """The roster that all processes of an account share; may raise ``StoreUnavailable``."""

    def read(self) -> Roster | None:
        """Read the last roster; None before the first sync."""
        ...

    def write(self, roster: Roster, *, term: int) -> None:
        """Keep a roster.

        Raises:
            LeadLost: Another runtime leads; nothing was written.
        """
        ...


class Directory(Protocol):
    """Who is in the crew, for whoever has to find an agent by its slug."""

    def agents(self) -> Sequence[Agent]:
        """Return all agents of the account; may raise any ``BackendError``."""
        ...
