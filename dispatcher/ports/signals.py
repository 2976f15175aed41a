"""Rings and counts: what goes out and must never fail the work."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from dispatcher.domain.ids import (
    ConversationId,
)
from dispatcher.domain.reply import Reply
from dispatcher.domain.roster import Changes
from dispatcher.ports.mailboxes import Swept


class Bell(Protocol):
    """Wakes workers. A ring carries no content; it may be lost or come twice."""

    def ring(self, conversations: Sequence[ConversationId]) -> None:
        """Ring for each conversation. A failure is logged, never raised: the sweeper rings again."""
        ...


class Tally(Protocol):
    """Counts what happens, for the metrics. Labels are closed sets, never ids."""

    def polled(self, *, listed: int, added: int, malformed: int) -> None:
        """Count one successful poll."""
        ...

    def swept(self, swept: Swept) -> None:
        """Count one sweep."""
        ...

    def attempted(self, *, kind: str, result: str, cause: str) -> None:
        """Count an attempt: ``result`` is settled, resting, dead or lost."""
        ...

    def replied(self, *, wait: timedelta) -> None:
        """Record the time from a notification's creation to its written reply."""
        ...

    def asked(self, *, result: str, took: timedelta) -> None:
        """Record one ask of the gateway."""
        ...

    def stepped(self, *, step: str, took: timedelta) -> None:
        """Record one step of an attempt: line, look, ask, tools, post, mark, or all of it."""
        ...

    def resumed(self, *, stage: str) -> None:
        """Count an attempt that goes on where an earlier one stopped."""
        ...

    def operated(self, *, operation: str, took: timedelta, error: str | None = None) -> None:
        """Record an operation of the runtime as a whole: a poll, a sync, a heartbeat."""
        ...

    def used(self, *, agent: str, reply: Reply) -> None:
        """Count the tokens of a reply."""
        ...

    def ran_tool(self, *, tool: str, result: str) -> None:
        """Count a tool call: ``result`` is done, refused or unknown."""
        ...

    def served_agent(self, *, tool: str, status: int, took: timedelta) -> None:
        """Record a call of an agent over HTTP."""
        ...

    def dropped_dead(self, count: int) -> None:
        """Count dead letters that had to make room."""
        ...

    def synced(self, *, members: int, changes: Changes) -> None:
        """Record a sync of the crew."""
        ...

    def audited(self, *, unaccounted: int, repaired: Mapping[str, int]) -> None:
        """Record an audit: rows that nobody accounts for, and repairs by their kind."""
        ...
