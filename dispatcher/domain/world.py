"""What deliveries wait for outside: the gateway's circuit, resting agents, pauses, the backend."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dispatcher.domain.ids import AgentId, ConversationId


class CircuitState(StrEnum):
    """Open: nobody asks. Trial: one ask is let through to see."""

    OPEN = "open"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Why nobody asks the gateway.

    Attributes:
        since: When it opened.
        failures: Asks, and then trials, that failed in a row.
        probe_at: When the gateway is looked at next.
    """

    state: CircuitState
    cause: str
    since: datetime
    failures: int
    probe_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRest:
    """Why nobody asks one agent."""

    agent: AgentId
    cause: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside that keeps deliveries in line, by the clock of Redis.

    Attributes:
        circuit: None while it is closed, which is the usual state.
        stop: Why the backend is not called, or None.
        paused: What an operator paused, and since when: ``all``, ``agent:…``, ``conversation:…``.
    """

    at: datetime
    circuit: Circuit | None
    stop: str | None
    rests: tuple[AgentRest, ...]
    paused: tuple[tuple[str, datetime], ...]


ALL = "all"
"""The name under which everything is paused."""


def paused_agent(agent: AgentId) -> str:
    """Name an agent as something to pause."""
    return f"agent:{agent}"


def paused_conversation(conversation: ConversationId) -> str:
    """Name a conversation as something to pause."""
    return f"conversation:{conversation}"
