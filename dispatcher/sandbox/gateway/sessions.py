"""Sessions: one run at a time in each, in order of arrival, and so many runs altogether."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from dispatcher.sandbox.gateway.ledger import Ledger
from dispatcher.sandbox.gateway.script import Plan
from dispatcher.sandbox.gateway.watch import Watch

_LEFT_BEHIND: Final = (
    "[Queued user message from a previous active turn; preserved as context only. "
    "Continue with the active prompt below.]"
)


@dataclass
class Session:
    """What a session remembers between two asks; only its running ask touches it.

    Attributes:
        aborted: Text of the last run whose client went away, shown to the next turn; an older
            one is forgotten, as seen at the real gateway (2026.9.6).
        plan: How the last user message is played, for the tool results that follow it.
        round: How many turns of tool results that message has had.
        faults: How often the faults of a message have been played, by its markers.
    """

    aborted: str | None = None
    plan: Plan | None = None
    round: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def take_text(self, text: str) -> str:
        """Put what an aborted run left in front of the next turn, once."""
        left, self.aborted = self.aborted, None
        return text if left is None else f"{_LEFT_BEHIND}\n{left}\n\n{text}"


@dataclass(eq=False, kw_only=True)
class Ticket:
    """The place of one ask in its session.

    Attributes:
        seq: The ask's number in the ledger.
        key: The session.
        connection: Where its client listens.
        gone: Set when nobody listens any more.
    """

    seq: int
    key: str
    connection: socket.socket
    gone: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Event = field(default_factory=threading.Event)

    def wait_for_turn(self) -> bool:
        """Wait to be admitted; False when the client went away first."""
        self._turn.wait()
        return not self.gone.is_set()

    def admit(self) -> None:
        """Let the ask run."""
        self._turn.set()

    def hang_up(self) -> None:
        """Tell the ask that nobody listens any more, whatever it waits for."""
        self.gone.set()
        self._turn.set()


class Sessions:
    """All sessions of the gateway, and the asks that run or wait in them."""

    def __init__(self, max_concurrent: int, ledger: Ledger, watch: Watch) -> None:
        self._max_concurrent = max_concurrent
        self._ledger = ledger
        self._watch = watch
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._waiting: list[Ticket] = []
        self._running: dict[str, Ticket] = {}
        self._idle = threading.Condition(self._lock)

    def session(self, key: str) -> Session:
        """Return the memory of a session, new or old."""
        with self._lock:
            return self._sessions.setdefault(key, Session())

    @contextmanager
    def place(self, seq: int, key: str, connection: socket.socket) -> Iterator[Ticket]:
        """Hold a place in a session's queue; leaving the block lets the next one run."""
        ticket = Ticket(seq=seq, key=key, connection=connection)
        with self._watch.over(connection, ticket.hang_up):
            self._enter(ticket)
            try:
                yield ticket
            finally:
                self._leave(ticket)

    def wait_until_idle(self, limit_s: float) -> bool:
        """Wait until nothing runs or waits; False when that took too long."""
        with self._idle:
            return self._idle.wait_for(lambda: not (self._running or self._waiting), limit_s)

    def _enter(self, ticket: Ticket) -> None:
        with self._lock:
            live = [*self._running.values(), *self._waiting]
            others = [other for other in live if other.key == ticket.key]
            self._waiting.append(ticket)
            self._admit()
        # A client may close and ask again at once. Its close has arrived before its new ask, so
        # looking now tells a client that went away from one that asks twice.
        for other in others:
            self._watch.look(other.connection)
        behind = [other.seq for other in others if not other.gone.is_set()]
        if behind:
            self._ledger.note_contention(ticket.seq, ticket.key, behind)

    def _leave(self, ticket: Ticket) -> None:
        with self._lock:
            if self._running.get(ticket.key) is ticket:
                del self._running[ticket.key]
            else:
                self._waiting.remove(ticket)
            self._admit()
            self._idle.notify_all()

    def _admit(self) -> None:
        for ticket in list(self._waiting):
            if len(self._running) >= self._max_concurrent:
                return
            if ticket.key not in self._running:
                self._waiting.remove(ticket)
                self._running[ticket.key] = ticket
                ticket.admit()
