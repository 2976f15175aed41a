"""What the flows need from the world, as protocols. The contracts stand here, once."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dispatcher.domain.delivery import Claim, Entry, NotClaimed, Outcome
from dispatcher.domain.ids import (
    AgentId,
    ConversationId,
    MessageId,
    NotificationId,
    SessionKey,
    TaskId,
)
from dispatcher.domain.journal import Journal
from dispatcher.domain.notification import Context, Notification, Page
from dispatcher.domain.reply import Reply


class Clock(Protocol):
    """The machine's clock; tests bring one that stands still."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow, for deadlines and durations."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Let the calling thread rest."""
        ...


class Backend(Protocol):
    """Convex. Every method may raise any ``BackendError``; none of them tries again."""

    def list_undelivered(self, *, limit: int) -> Page:
        """List the oldest undelivered rows of the account's agents, 1 to 500 of them."""
        ...

    def fetch_context(self, notification: NotificationId) -> Context | None:
        """Fetch a row with everything around it, as it is now; None when it does not exist."""
        ...

    def mark_begun(self, notification: NotificationId) -> None:
        """Say that an attempt began, so that people see the agent typing. Repeatable."""
        ...

    def mark_ended(self, notification: NotificationId) -> None:
        """Say that an attempt ended without delivery, so that typing stops. Repeatable."""
        ...

    def mark_delivered(self, notification: NotificationId) -> None:
        """Mark a row delivered, for good: it is never listed again. Repeatable.

        Raises:
            RowGone: The row was deleted with its task or agent. Treat it as marked.
        """
        ...

    def post_message(
        self,
        *,
        agent: AgentId,
        task: TaskId,
        content: str,
        key: NotificationId | None,
        wakes_agents: bool = True,
    ) -> MessageId:
        """Post an agent's message into a thread.

        Args:
            agent: The author.
            task: The thread.
            content: At most 100 000 UTF-16 units.
            key: A second post with the same key is not made; the id of the first is returned,
                whatever its content. Without a key every call posts.
            wakes_agents: False when no agent is to be notified of it.
        """
        ...

    def start_work(self, *, agent: AgentId, task: TaskId) -> None:
        """Move a task from ``assigned`` to ``in_progress``, unless its status changed meanwhile."""
        ...

    def probe(self) -> AgentId | None:
        """Check the credentials with a call that writes nothing; return the orchestrator."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One prompt for one agent.

    Attributes:
        agent: The agent's slug.
        session_key: The backend's key; the adapter puts it into the gateway's form.
        instructions: What the agent is told to be, for this turn only.
        text: The prompt itself.
    """

    agent: str
    session_key: SessionKey
    instructions: str
    text: str


class Hold(Protocol):
    """A claim that is kept alive while its turn runs."""

    def check(self) -> None:
        """Make sure, before an effect outside, that the claim is still ours.

        Raises:
            LeaseLost: It is lost, or was not confirmed for so long that it may be.
        """
        ...

    def on_loss(self, cancel: Callable[[], None]) -> AbstractContextManager[None]:
        """Call ``cancel`` from another thread should the claim be lost inside the block."""
        ...


class Holds(Protocol):
    """Keeps the claims of this process alive."""

    def hold(self, claim: Claim, *, since: float) -> AbstractContextManager[Hold]:
        """Renew the claim's lease until the block ends.

        Args:
            claim: Just claimed.
            since: When the claim was asked for, by the monotonic clock: its lease may run since.
        """
        ...


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


class Mailboxes(Protocol):
    """The mailbox store: every method is one atomic step, safe to run twice.

    Any method may raise ``StoreUnavailable``.
    """

    def put(self, entries: Sequence[Entry], *, term: int = 0) -> "Put":
        """Add what is new; ignore what is not newer than what is known of its row.

        Args:
            entries: A listed page, or one carried message.
            term: Of the leader; 0 for a worker.

        Raises:
            LeadLost: Another runtime leads; nothing was put.
        """
        ...

    def claim(self, hint: ConversationId) -> Claim | NotClaimed:
        """Claim the first eligible mailbox of the line; ``hint`` joins the line if it can."""
        ...

    def journal(self, claim: Claim, journal: Journal, *, uses_row_key: bool = False) -> int:
        """Write how far the delivery is; return the newest ``createdAt`` known of its row, in ms.

        Raises:
            LeaseLost: The claim is not ours any more; nothing was written.
        """
        ...

    def rebind(self, claim: Claim, notification: Notification) -> Claim:
        """Give the claimed delivery the identity of a newer message of its row.

        Raises:
            LeaseLost: The claim is not ours any more; nothing was changed.
        """
        ...

    def settle(self, claim: Claim, outcome: Outcome) -> tuple[ConversationId, ...]:
        """Give the outcome to the mailbox and end the claim; return whom to ring.

        Raises:
            LeaseLost: The claim is not ours any more; nothing was changed.
        """
        ...

    def sweep(self, *, term: int = 0) -> "Swept":
        """Take back expired leases, end due rests, and find out who is to be rung.

        Raises:
            LeadLost: Another runtime leads; nothing was done.
        """
        ...

    def stats(self) -> "Stats":
        """Count what the store holds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What came of a put."""

    added: int
    to_ring: tuple[ConversationId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did."""

    expired: int
    rested: int
    to_ring: tuple[ConversationId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How much the store holds, by the clock of Redis.

    Attributes:
        open: Deliveries known and not yet settled or dead.
        claims: Turns that run now.
        resting: Mailboxes whose head waits for its time.
        dead: Dead letters.
        waiting: Mailboxes in line, by class.
        oldest: When the longest waiting head of each class was put, or None.
    """

    at: datetime
    open: int
    claims: int
    resting: int
    dead: int
    waiting: tuple[int, ...]
    oldest: tuple[datetime | None, ...]

    def oldest_wait(self) -> timedelta:
        """Return the longest wait in line, zero when nobody waits."""
        return max((self.at - since for since in self.oldest if since), default=timedelta(0))


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

    def used(self, *, agent: str, reply: Reply) -> None:
        """Count the tokens of a reply."""
        ...
