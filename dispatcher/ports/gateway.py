"""The HTTP service in front of the agents, and what is sent to it."""

from dataclasses import dataclass
from typing import Protocol

from dispatcher.domain.ids import (
    SessionKey,
)
from dispatcher.domain.reply import Reply
from dispatcher.domain.tools import Tool, ToolResult
from dispatcher.ports.work import Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One prompt for one agent.

    Attributes:
        agent: The agent's slug.
        session_key: The backend's key; the adapter puts it into the gateway's form.
        instructions: What the agent is told to be, for this turn only.
        text: The prompt itself; left out when there are results.
        tools: What the agent may call; offered anew in every round.
        results: What became of the calls of the round before.
    """

    agent: str
    session_key: SessionKey
    instructions: str
    text: str
    tools: tuple[Tool, ...] = ()
    results: tuple[ToolResult, ...] = ()


class Gateway(Protocol):
    """The HTTP service in front of the agents."""

    def ask(self, ask: Ask, *, hold: Hold) -> Reply:
        """Send one prompt into a session and wait for the agent's reply.

        A single POST, never repeated here. It is closed, which aborts the agent's run, when the
        time-out for the whole exchange strikes or the hold is lost.

        Raises:
            GatewayError: By the tree of errors; what is unknown afterwards stands there.
        """
        ...
