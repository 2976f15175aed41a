"""What a delivery needs at hand, and the state of one attempt."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from dispatcher.domain.delivery import Claim
from dispatcher.domain.errors import StoreError
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Journal
from dispatcher.domain.prompt import Reach, Render
from dispatcher.domain.retry import Bounds
from dispatcher.domain.rights import Rights
from dispatcher.ports import (
    Actions,
    Backend,
    Bell,
    Clock,
    Gateway,
    Heartbeats,
    Hold,
    Holds,
    Mailboxes,
    Quarantine,
    RosterStore,
    Tally,
    Tasks,
)

_STORE_AGAIN = timedelta(milliseconds=250)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waking:
    """What heartbeats need.

    Attributes:
        skips_idle: An agent is not asked when nothing that it could act on has changed.
    """

    roster: RosterStore
    tasks: Tasks
    heartbeats: Heartbeats
    skips_idle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The ports and limits of the flows that a worker runs.

    Attributes:
        render: Fills the templates of what agents are told.
        reach: Says how an agent acts in a turn, and mints the token that it needs for that.
        has_client_tools: Requests bring tools; otherwise agents act over HTTP.
        gives_notice: People are told in the thread when a delivery dies.
        waking: What heartbeats need; None where there are none.
        quarantine: Runs deliveries that killed their workers; None inside of one.
        tool_rounds: So often an agent may answer with tool calls in one turn.
    """

    backend: Backend
    actions: Actions
    gateway: Gateway
    mailboxes: Mailboxes
    bell: Bell
    holds: Holds
    tally: Tally
    clock: Clock
    bounds: Bounds
    render: Render
    reach: Callable[[Rights, SessionKey], Reach]
    has_client_tools: bool = True
    quarantine: Quarantine | None = None
    waking: Waking | None = None
    gives_notice: bool = True
    tool_rounds: int = 8


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt while it runs; the only mutable thing in the flows.

    Attributes:
        claim: Changes when a newer message of the row is bound to the delivery.
        hold: Keeps the claim alive; entered right after the claim.
        journal: The record as it was last written.
        has_begun: People see the agent typing.
        has_posted: This very attempt posted the reply.
        has_unwritten_answer: The journal holds an answer that is not stored yet. Nothing outside may
            be done before it is: the next write stores it, most often the one before the post.
        steps: How long its steps took so far, in seconds.
    """

    desk: Desk
    claim: Claim
    journal: Journal
    hold: Hold = field(init=False)
    has_begun: bool = False
    has_posted: bool = False
    has_unwritten_answer: bool = False
    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Record how long a step takes, whether it succeeds or not."""
        began = self.desk.clock.monotonic()
        try:
            yield
        finally:
            took_s = self.desk.clock.monotonic() - began
            self.steps[step] = self.steps.get(step, 0.0) + took_s
            self.desk.tally.stepped(step=step, took=timedelta(seconds=took_s))

    def write(self, journal: Journal, *, uses_row_key: bool = False) -> None:
        """Write the journal and remember it."""
        self.desk.mailboxes.journal(
            self.claim, journal, uses_row_key=uses_row_key, brings_answer=self.has_unwritten_answer
        )
        self.journal = journal
        self.has_unwritten_answer = False

    def keep_answer(self) -> None:
        """Store the answer, unless it is stored already."""
        if self.has_unwritten_answer:
            self.keep(self.journal)

    def keep(self, journal: Journal, *, uses_row_key: bool = False) -> None:
        """Write what must not be lost, however often it takes while the claim is ours."""
        while True:
            try:
                self.write(journal, uses_row_key=uses_row_key)
            except StoreError as error:
                self.hold.check()
                _log.info("a result waits to be stored: %s", error, extra=self.fields("journal"))
                self.desk.clock.sleep(_STORE_AGAIN)
            else:
                return

    def fields(self, action: str) -> dict[str, object]:
        """Give the fields of a log line about this attempt."""
        return {
            "action": action,
            "notification": self.claim.entry.notification,
            "agent": self.claim.entry.agent,
            "attempt": self.claim.attempt_no,
        }
