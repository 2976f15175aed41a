"""The story of a delivery in plain words: what happened, where it is, what happens next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dispatcher.domain.delivery import Entry, NotClaimed, State
from dispatcher.domain.ids import DeliveryId
from dispatcher.domain.journal import Journal
from dispatcher.domain.world import ALL, World, paused_agent, paused_conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a delivery. ``word`` is the step, ``detail`` more of it."""

    at: datetime
    word: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the store knows of a delivery, by the clock of Redis.

    Attributes:
        entry: None when only a tombstone is left.
        put_at: When it came into the store; it waits since then.
        state: None when it is over.
        reason: Why its mailbox is not claimed; ``HELD`` when it is.
        head: The delivery that its mailbox works on now or next.
        in_mailbox: Deliveries in its mailbox.
        journal: How far it is; None when it cannot be read.
        events: What happened, the oldest first.
    """

    delivery: DeliveryId
    at: datetime
    entry: Entry | None = None
    state: State | None = None
    cause: str = ""
    attempts: int = 0
    strikes: int = 0
    put_at: datetime | None = None
    due: datetime | None = None
    worker: str = ""
    claimed_at: datetime | None = None
    reason: NotClaimed | None = None
    head: DeliveryId | None = None
    in_mailbox: int = 0
    journal: Journal | None = None
    events: tuple[Event, ...] = ()


def event_of(text: str) -> Event:
    """Read an event as the store keeps it: ``{ms}|{word}|{detail}``."""
    ms, word, detail = text.split("|", 2)
    return Event(at=datetime.fromtimestamp(int(ms) / 1000, UTC), word=word, detail=detail)


_WORDS: Final[Mapping[str, str]] = {
    "put": "put into its mailbox",
    "carried": "taken off the backend's list; it runs from here",
    "claimed": "claimed by worker {detail}",
    "new": "begun",
    "asked": "the agent is asked (ask {detail})",
    "answered": "the agent answered, and the answer is stored ({detail})",
    "tools": "tools are run ({detail})",
    "posting": "the answer is posted into the thread",
    "marking": "the notification is marked delivered",
    "dying": "it is given up: {detail}",
    "strike": "its worker {detail} died or froze; another one takes over",
    "rebound": "a newer message took the place of the one it was for",
    "spared": "kept alive: so many fail in this way ({detail}) that the gateway is to blame",
    "resting": "the attempt ended: {detail}",
    "settled": "settled: {detail}",
    "dead": "dead: {detail}",
    "revived": "taken back by an operator",
    "discarded": "discarded by an operator",
}


def sentence(event: Event) -> str:
    """Say in words what happened."""
    if event.word == "resting":
        cause, _, ms = event.detail.partition(" ")
        rest = f", tried again after {int(ms) / 1000:.1f} s" if ms.isdigit() and ms != "0" else ""
        return f"the attempt ended: {cause}{rest}"
    return _WORDS.get(event.word, event.word).format(detail=event.detail).replace(" ()", "")


def whereabouts(record: Record) -> str:
    """Say where a delivery is."""
    if record.state is None:
        last = record.events[-1] if record.events else None
        return f"It is over: {sentence(last)}." if last else "It is over."
    match record.state:
        case State.CLAIMED:
            since = f" since {record.claimed_at:%H:%M:%S}" if record.claimed_at else ""
            return f"Worker {record.worker} works on it{since}: {_step(record.journal)}."
        case State.DEAD:
            tries = "1 attempt" if record.attempts == 0 else f"{record.attempts + 1} attempts"
            return f"It is a dead letter: {record.cause}, after {tries}."
        case State.RESTING:
            return f"It rests: the last attempt ended with {record.cause}."
        case State.QUEUED:
            return f"It waits in its mailbox, one of {record.in_mailbox}."


def next_step(record: Record, world: World) -> str:
    """Say what happens next, by itself or by a person."""
    match record.state:
        case None:
            return "Nothing more happens."
        case State.CLAIMED:
            return (
                "The worker goes on. Should it die, its lease runs out and another one goes on "
                "at the last step of the journal."
            )
        case State.DEAD:
            return (
                "Nothing happens by itself. `dispatcher dead-letters revive "
                f"{record.delivery}` tries again, `discard` forgets it."
            )
        case State.RESTING:
            return f"It is tried again at {record.due:%H:%M:%S} UTC." if record.due else "Soon."
        case State.QUEUED:
            return _why_queued(record, world)


def _step(journal: Journal | None) -> str:
    if journal is None:
        return "its journal cannot be read by this version"
    if journal.needs_no_agent:
        return "the answer is stored and is being written back"
    if journal.has_open_calls:
        return f"the agent's tool calls are run (round {journal.rounds})"
    return f"the agent is asked (ask {journal.asks})" if journal.asks else "it has just begun"


def _why_queued(record: Record, world: World) -> str:
    if _is_behind(record):
        return f"Its conversation has one turn at a time: {record.head} comes before it."
    match record.reason:
        case NotClaimed.CIRCUIT if world.circuit is not None:
            return (
                f"The gateway is left alone since {world.circuit.since:%H:%M:%S} UTC "
                f"({world.circuit.cause}); it is probed at {world.circuit.probe_at:%H:%M:%S}, and "
                "asked again as soon as it is well."
            )
        case NotClaimed.AGENT_RESTING:
            return _agent_rest(record, world)
        case NotClaimed.PAUSED:
            return _pause(record, world)
        case NotClaimed.CREDENTIALS:
            return f"Convex rejects us ({world.stop}); that is tried again every minute."
        case NotClaimed.AGENT_FULL:
            return "Its agent runs as many turns as it may; it follows when one of them ends."
        case NotClaimed.FULL:
            return "As many turns run as may run at once; it follows in its turn."
        case _:
            return "A worker claims it in a moment; if none does, are workers running?"


_REASONS: Final[Mapping[NotClaimed, str]] = {
    NotClaimed.EMPTY: "done",
    NotClaimed.HELD: "behind another",
    NotClaimed.RESTING: "rests",
    NotClaimed.WAITING: "next",
    NotClaimed.PAUSED: "paused",
    NotClaimed.CIRCUIT: "gateway away",
    NotClaimed.CREDENTIALS: "Convex rejects us",
    NotClaimed.AGENT_RESTING: "agent rests",
    NotClaimed.AGENT_FULL: "agent is busy",
    NotClaimed.FULL: "all slots taken",
}


def short_reason(record: Record) -> str:
    """Say in a word or three why a delivery is not worked on."""
    match record.state:
        case None:
            return "over"
        case State.CLAIMED:
            return "runs"
        case State.DEAD:
            return "dead"
        case State.RESTING:
            return f"rests: {record.cause}" if record.cause else "rests"
        case State.QUEUED if _is_behind(record):
            return "behind another"
        case State.QUEUED:
            return _REASONS[record.reason] if record.reason else "next"


def _is_behind(record: Record) -> bool:
    return record.head not in {None, record.delivery} and record.reason is not NotClaimed.PAUSED


def _pause(record: Record, world: World) -> str:
    """Say what was paused and how it goes on: everything, the agent, or this conversation."""
    entry, paused = record.entry, {what for what, _ in world.paused}
    if ALL in paused:
        return "An operator paused everything: it goes on with `dispatcher resume --all`."
    if entry is not None and paused_agent(entry.agent) in paused:
        return (
            f"An operator paused its agent: it goes on with `dispatcher resume --agent "
            f"{entry.agent}`."
        )
    if entry is not None and paused_conversation(entry.conversation) in paused:
        return (
            "An operator paused its conversation: it goes on with `dispatcher resume "
            f"--conversation {entry.conversation}`."
        )
    return "An operator paused it: it goes on with `dispatcher resume`."


def _agent_rest(record: Record, world: World) -> str:
    agent = record.entry.agent if record.entry else None
    rest = next((one for one in world.rests if one.agent == agent), None)
    if rest is None:
        return "Its agent is asked again in a moment."
    return f"Its agent rests until {rest.until:%H:%M:%S} UTC ({rest.cause}), then it follows."
