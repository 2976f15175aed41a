"""One delivery: identity, class, states, and what an attempt comes to."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from dispatcher.domain.ids import (
    AgentId,
    ConversationId,
    DeliveryId,
    MessageId,
    NotificationId,
    TaskId,
    conversation_id,
    delivery_id,
)
from dispatcher.domain.notification import Kind, Notification


class State(StrEnum):
    """Where a delivery is. Settled and discarded ones leave only a tombstone."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    RESTING = "resting"
    DEAD = "dead"


class LineClass(IntEnum):
    """The classes of the line; a lower one is served first."""

    PEOPLE = 0
    THREAD_UPDATE = 1
    STATUS_CHANGE = 2
    HEARTBEAT = 3


def line_class(kind: Kind) -> LineClass:
    """Give the class in which a notification waits."""
    match kind:
        case Kind.MENTION | Kind.ASSIGNMENT | Kind.RESPONSE_REQUEST:
            return LineClass.PEOPLE
        case Kind.THREAD_UPDATE:
            return LineClass.THREAD_UPDATE
        case Kind.STATUS_CHANGE | Kind.OTHER:
            return LineClass.STATUS_CHANGE
        case Kind.HEARTBEAT:
            return LineClass.HEARTBEAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is put into a mailbox: one message of one notification.

    Attributes:
        is_carried: Runs although its row is marked already (a newer message came in between).
    """

    notification: NotificationId
    message: MessageId | None
    agent: AgentId
    task: TaskId | None
    kind: Kind
    created_at_ms: int
    creation_time_ms: float
    is_carried: bool = False

    @property
    def delivery(self) -> DeliveryId:
        """The identity of the delivery that this entry becomes."""
        return delivery_id(self.notification, self.message)

    @property
    def conversation(self) -> ConversationId:
        """The conversation whose mailbox it belongs to."""
        return conversation_id(self.agent, self.task)


def entry_of(notification: Notification, *, is_carried: bool = False) -> Entry:
    """Make the mailbox entry of a listed row."""
    return Entry(
        notification=notification.notification_id,
        message=notification.message,
        agent=notification.recipient,
        task=notification.task,
        kind=notification.kind,
        created_at_ms=notification.created_at_ms,
        creation_time_ms=notification.creation_time_ms,
        is_carried=is_carried,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The exclusive right of one worker to one mailbox, for the delivery at its head.

    Attributes:
        token: Random; whoever shows it owns the mailbox while the lease lives.
        entry: The delivery's facts as the store has them.
        attempts: Attempts spent before this one.
        waits: Rests in a row that spent no attempt.
        unanswered: Asks so far that brought no usable reply.
        looks: Attempts that did not find what the backend should have.
        strikes: Workers that died or froze while they held it.
        put_at: When the delivery came into the store, by the clock of Redis.
        claimed_at: When it was claimed, by the same clock.
        row_key_user: The delivery that has used the row's id as its post key, or None.
        seen_ms: When the newest message was written that an answered turn of the conversation showed.
        journal_text: How far an earlier attempt got, as it was written; empty at first.
    """

    conversation: ConversationId
    token: str
    delivery: DeliveryId
    entry: Entry
    attempts: int
    waits: int
    unanswered: int
    looks: int
    strikes: int
    put_at: datetime
    claimed_at: datetime
    row_key_user: DeliveryId | None
    journal_text: str
    seen_ms: int = 0

    def evolve(self, **changes: Any) -> "Claim":  # noqa: ANN401 - the fields have their types
        """Return the same claim with some fields changed."""
        return replace(self, **changes)

    @property
    def attempt_no(self) -> int:
        """The number of this attempt, from 1."""
        return self.attempts + 1


class NotClaimed(StrEnum):
    """Why a claim got nothing."""

    EMPTY = "empty"
    HELD = "held"
    RESTING = "resting"
    WAITING = "waiting"
    PAUSED = "paused"
    CIRCUIT = "circuit"
    CREDENTIALS = "credentials"
    AGENT_RESTING = "agent_resting"
    AGENT_FULL = "agent_full"
    FULL = "full"


class Spent(StrEnum):
    """Which counter of the delivery a rest raises."""

    ATTEMPT = "attempts"
    WAIT = "waits"
    UNANSWERED = "unanswered"
    LOOK = "looks"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The delivery is over. ``outcome`` is a metric label and stands on the tombstone."""

    outcome: str


class Blamed(StrEnum):
    """Who outside is left alone for a while, so that others do not fail in the same way."""

    NOBODY = "nobody"
    GATEWAY = "gateway"
    AGENT = "agent"
    BACKEND = "backend"


class Sign(StrEnum):
    """What an attempt told of the gateway; decides when a trial ask ends."""

    NONE = "none"
    ANSWERS = "answers"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """Who is left alone, and for how long.

    Attributes:
        wish: At least so long: the other side said so.
        first: So long at the first failure in a row; it doubles from failure to failure,
        longest: up to this.
    """

    party: Blamed = Blamed.NOBODY
    wish: timedelta = timedelta(0)
    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=30)


NO_BLAME = Blame()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """The delivery is tried again after ``delay``, once whoever is blamed is well again."""

    delay: timedelta
    cause: str
    spends: Spent
    blame: Blame = NO_BLAME
    sign: Sign = Sign.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """The delivery is not tried again and is kept for a person."""

    cause: str
    sign: Sign = Sign.NONE


Outcome = Settled | Resting | Dead
