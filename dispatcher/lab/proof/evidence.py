"""What is on the table when a proof is judged; all instants are milliseconds since the epoch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dispatcher.lab.proof.plan import Trouble
from dispatcher.lab.proof.words import Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message that a person wrote.

    Attributes:
        word: Its unique word.
        agents: Ids of those who have to answer.
        is_mention: It names them; otherwise they are subscribers, and messages may coalesce.
    """

    word: str
    message: str
    task: str
    agents: tuple[str, ...]
    is_mention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A task that was given to agents."""

    task: str
    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A notification for an agent, as it is at the end."""

    row: str
    agent: str
    task: str
    kind: str
    message: str | None
    created_ms: float
    delivered_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message in a thread.

    Attributes:
        mark: What it is about, or None.
        source: The key that it was posted with, or None.
    """

    message: str
    task: str
    author: str
    is_by_agent: bool
    mark: Mark | None
    created_ms: float
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request that reached the gateway.

    Attributes:
        row: The notification that its prompt names; None for tool results.
        mark: The message that it is to respond to; None for tool results.
        number: Which turn of its message it was: 0 for the prompt, then one for each tool results.
        outcome: See the gateway's ledger.
        fault: What the gateway was told to do wrong, or None.
    """

    seq: int
    agent: str
    session: str
    row: str | None
    mark: Mark | None
    number: int
    received_ms: float
    ended_ms: float | None
    outcome: str
    fault: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """An ask that met others of its session at the gateway, by their numbers."""

    seq: int
    behind: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of a delivery's story in the store."""

    at_ms: float
    word: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A trouble that was made.

    Attributes:
        process: The name of the process that was struck, or what else was.
        until_ms: When it was mended; None when that never happened.
        held: The deliveries that the process held claims on.
    """

    trouble: Trouble
    process: str
    at_ms: float
    until_ms: float | None = None
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadGap:
    """The killing of a leading runtime, and when one led again; None when none did."""

    process: str
    at_ms: float
    led_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that is not tried again."""

    delivery: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the judge may look at.

    Attributes:
        began_ms: When the load began.
        titles: How many tasks and documents have each title.
        stories: By delivery; None when the store keeps none.
        open: Deliveries that the store has not settled.
        faults: How often each fault struck, by kind.
        ended_by_themselves: Processes that ended without being told to.
        max_attempts: After so many failed attempts a delivery may die.
    """

    began_ms: float
    said: tuple[Said, ...] = ()
    assigned: tuple[Assigned, ...] = ()
    rows: tuple[Row, ...] = ()
    messages: tuple[Message, ...] = ()
    asks: tuple[Ask, ...] = ()
    contentions: tuple[Contention, ...] = ()
    overlaps: tuple[tuple[int, int], ...] = ()
    titles: Mapping[str, int] = field(default_factory=dict)
    stories: Mapping[str, tuple[Step, ...]] | None = None
    strikes: tuple[Strike, ...] = ()
    gaps: tuple[LeadGap, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    open: frozenset[str] = frozenset()
    faults: Mapping[str, int] = field(default_factory=dict)
    ended_by_themselves: tuple[str, ...] = ()
    max_attempts: int = 6


def keep(evidence: Evidence, path: Path) -> None:
    """Write all evidence into a file, for whoever wants to look deeper."""
    path.write_text(json.dumps(asdict(evidence), default=sorted), encoding="utf-8")


def delivery_of(row: str, message: str | None) -> str:
    """Name a delivery as the store does."""
    return f"{row}:{message or '-'}"
