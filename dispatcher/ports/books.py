"""The store's books, controls and records, for the audit and the operator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dispatcher.domain.dead_letter import DeadLetter
from dispatcher.domain.delivery import Entry
from dispatcher.domain.ids import (
    AgentId,
    DeliveryId,
    NotificationId,
)
from dispatcher.domain.story import Record


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
        """Read all dead letters, the newest first, without their journals."""
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

    def find(
        self, name: str, *, most: int = 100, agents: Sequence[AgentId] = ()
    ) -> tuple[Record, ...]:  # fmt: skip
        """Find the deliveries of a notification, message, conversation or task, or one by its name.

        Args:
            name: An id of any of these.
            most: At most so many are told of.
            agents: Whose conversations about a task are looked at.
        """
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
