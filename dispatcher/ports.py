"""What the flows need from the world, as protocols. The contracts stand here, once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from dispatcher.domain.dead_letter import DeadLetter
from dispatcher.domain.delivery import Claim, Entry, NotClaimed, Outcome
from dispatcher.domain.ids import (
    AgentId,
    ConversationId,
    DeliveryId,
    MessageId,
    NotificationId,
    SessionKey,
    TaskId,
)
from dispatcher.domain.journal import Journal
from dispatcher.domain.notification import Context, Notification, Page
from dispatcher.domain.reply import Reply
from dispatcher.domain.story import Record
from dispatcher.domain.tools import Tool, ToolResult
from dispatcher.domain.world import World


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


class Actions(Protocol):
    """What an agent's tools do at the backend. Every method may raise any ``BackendError``."""

    def set_status(
        self, *, agent: AgentId, task: TaskId, status: str, blocked_reason: str | None
    ) -> str:
        """Move a task to a status; return the one that it has now. Repeatable."""
        ...

    def create_task(self, *, agent: AgentId, fields: Mapping[str, Any]) -> TaskId:
        """Create a task. Every call creates one: never repeat it blindly."""
        ...

    def put_document(self, *, agent: AgentId, fields: Mapping[str, Any]) -> str:
        """Create a document, or change the one whose id is given; only the latter is repeatable."""
        ...

    def documents(self, *, task: TaskId | None) -> tuple[Mapping[str, Any], ...]:
        """List the newest documents of a task, or of the account, at most 100."""
        ...


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


class Quarantine(Protocol):
    """Runs a claimed delivery in a process of its own, because its workers died again and again."""

    def run(self, claim: Claim, *, hold: Hold) -> "Isolation":
        """Run the delivery and wait for the end of its process.

        Args:
            claim: Renewed by the caller all the time.
            hold: When it is lost, the process is ended.

        Returns:
            What became of the process; never waits for a place.
        """
        ...


class Isolation(StrEnum):
    """What became of the process of a quarantined delivery.

    ``ENDED``: it settled the delivery or lost the claim. ``DIED``: the delivery killed it.
    ``UNDONE``: there was no place, it could not be started, or somebody ended it.
    """

    ENDED = "ended"
    DIED = "died"
    UNDONE = "undone"


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

    def read_journal(self, claim: Claim) -> str:
        """Read the claimed delivery's journal as it stands now."""
        ...

    def rebind(self, claim: Claim, notification: Notification) -> Claim | None:
        """Give the claimed delivery the identity of a newer message of its row.

        Returns:
            None when the newer message is over already: its turn has shown the older one.

        Raises:
            LeaseLost: The claim is not ours any more; nothing was changed.
        """
        ...

    def may_die(self, claim: Claim, cause: str) -> bool:
        """Ask the fuse: False when so many die of a cause that the circuit opened instead.

        Raises:
            LeaseLost: The claim is not ours any more.
        """
        ...

    def settle(self, claim: Claim, outcome: Outcome) -> "Done":
        """Give the outcome to the mailbox and end the claim; return whom to ring.

        Raises:
            LeaseLost: The claim is not ours any more; nothing was changed.
        """
        ...

    def sweep(self, *, term: int = 0, unswept: timedelta = timedelta(0)) -> "Swept":
        """Take back expired leases, end due rests, and find out who is to be rung.

        Args:
            term: Of the leader; 0 for a standby.
            unswept: Do nothing when somebody swept within that time.

        Raises:
            LeadLost: Another runtime leads; nothing was done.
        """
        ...

    def stats(self) -> "Stats":
        """Count what the store holds."""
        ...

    def world(self) -> World:
        """Tell what deliveries wait for outside: circuit, resting agents, pauses, credentials."""
        ...

    def begin_probe(self) -> bool:
        """Take the right to probe the gateway; False when it is not time, or somebody else has it.

        It is given to one at a time, and passes on from whoever tells nothing for some seconds.
        """
        ...

    def admit(self, *, is_well: bool) -> tuple[ConversationId, ...]:
        """Tell what a probe found: a gateway that is well gets one trial ask; return whom to ring."""
        ...

    def stop_backend(self, reason: str | None) -> None:
        """Keep all from calling a backend that rejects us, for a minute; None ends it."""
        ...


class Books(Protocol):
    """The store's books, for whoever compares them with the backend. See ``Mailboxes``."""

    def audit(self, entries: Sequence[Entry], *, term: int = 0) -> "Audit":
        """Say of each listed entry what the store knows of it, and set right what stands nowhere.

        Raises:
            LeadLost: Another runtime leads; nothing was done.
        """
        ...

    def begin_mark(self, entry: Entry) -> bool:
        """Note that a row is marked without a claim; a waiting delivery of it becomes carried.

        Returns:
            False when a newer message is known or the delivery is in work: do not mark.
        """
        ...

    def end_mark(self, notification: NotificationId) -> None:
        """Forget the note: the row was read again after its mark."""
        ...

    def begun_marks(self) -> tuple[Entry, ...]:
        """List the notes whose ends are not known."""
        ...

    def stalled(self, *, most: int) -> tuple[Entry, ...]:
        """Find the oldest deliveries that only wait for a paused or resting agent."""
        ...


class Controls(Protocol):
    """What an operator does to the store. See ``Mailboxes``."""

    def pause(self, what: str) -> bool:
        """Stop asking: everything, an agent or a conversation (see ``domain.world``).

        Running turns end, and answers that are stored already are written back.

        Returns:
            False when it was paused before.
        """
        ...

    def resume(self, what: str) -> bool:
        """Ask again; False when it was not paused."""
        ...

    def dead_letters(self) -> Iterable[DeadLetter]:
        """Read all dead letters, the newest first."""
        ...

    def dead_letter(self, delivery: DeliveryId) -> DeadLetter | None:
        """Read one dead letter; None when there is none of this name."""
        ...

    def revive(self, delivery: DeliveryId, *, fresh: bool = False) -> bool:
        """Take a dead letter back with fresh attempts; its answers and tool results are kept.

        Args:
            delivery: Its name.
            fresh: Forget its journal and start over.

        Returns:
            False when it is no dead letter.

        Raises:
            JournalUnreadable: A newer program wrote its journal; only a fresh start is possible.
        """
        ...

    def discard(self, delivery: DeliveryId) -> bool:
        """Forget a dead letter; False when it is none."""
        ...


class Records(Protocol):
    """What the store knows of single deliveries."""

    def find(self, name: str) -> tuple[Record, ...]:
        """Find the deliveries of a notification, message or conversation, or one by its name."""
        ...


class Holding(StrEnum):
    """What the store knows of a listed row."""

    OPEN = "open"
    DEAD = "dead"
    SETTLED = "settled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the books say.

    Attributes:
        righted: Mailboxes that stood nowhere and stand right now.
        spoiled: Open deliveries that cannot be used: a key of theirs is of a wrong type.
        holdings: One for each entry, in order.
    """

    righted: int
    spoiled: int
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a settling: whom to ring, and how many old dead letters had to go."""

    to_ring: tuple[ConversationId, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What came of a put.

    Attributes:
        spoiled: Entries that were left alone because a key of theirs is of a wrong type.
    """

    added: int
    to_ring: tuple[ConversationId, ...]
    spoiled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did.

    Attributes:
        spoiled: Mailboxes that were left alone because a key of theirs is of a wrong type.
    """

    expired: int
    rested: int
    to_ring: tuple[ConversationId, ...]
    spoiled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How much the store holds, by the clock of Redis.

    Attributes:
        open: Deliveries known and not yet settled or dead.
        claims: Turns that run now.
        resting: Mailboxes whose head waits for its time.
        dead: Dead letters.
        paid: Mailboxes in line whose answer is stored already.
        marking: Rows that are being marked without a claim.
        waiting: Mailboxes in line, by class.
        oldest: When the longest waiting head of each class was put, or None.
    """

    at: datetime
    open: int
    claims: int
    resting: int
    dead: int
    paid: int
    marking: int
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

    def ran_tool(self, *, tool: str, result: str) -> None:
        """Count a tool call: ``result`` is done, refused or unknown."""
        ...

    def dropped_dead(self, count: int) -> None:
        """Count dead letters that had to make room."""
        ...

    def audited(self, *, unaccounted: int, repaired: Mapping[str, int]) -> None:
        """Record an audit: rows that nobody accounts for, and repairs by their kind."""
        ...
