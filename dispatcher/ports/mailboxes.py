"""The mailbox store, as workers and the leader use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dispatcher.domain.delivery import Claim, Entry, NotClaimed, Outcome
from dispatcher.domain.ids import (
    ConversationId,
)
from dispatcher.domain.journal import Journal
from dispatcher.domain.notification import Notification
from dispatcher.domain.world import World


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

    def journal(
        self,
        claim: Claim,
        journal: Journal,
        *,
        uses_row_key: bool = False,
        brings_answer: bool = False,
    ) -> int:
        """Write how far the delivery is; return the newest ``createdAt`` known of its row, in ms.

        Args:
            claim: Of the delivery.
            journal: The whole record.
            uses_row_key: The row's own id is about to be used as the key of a post.
            brings_answer: The agent has just answered; the answer stands in the record.

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

    def settle(self, claim: Claim, outcome: Outcome, *, goes_on: bool = False) -> "Done":
        """Give the outcome to the mailbox and end the claim.

        Args:
            claim: It ends.
            outcome: What becomes of its delivery.
            goes_on: The caller takes the next one that is eligible, instead of having it rung.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a settling.

    Attributes:
        to_ring: Whom to ring.
        next_claim: What the caller goes on with; only when it said that it would.
        dropped: How many old dead letters had to go.
    """

    to_ring: tuple[ConversationId, ...] = ()
    next_claim: Claim | None = None
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
