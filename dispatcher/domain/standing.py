"""How the whole service stands: which processes live, what they did, what the last asks told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from dispatcher.domain.story import Record

SILENT: Final = timedelta(seconds=60)
"""A process that gave no pulse for so long counts as gone."""


class Level(StrEnum):
    """How bad a problem is.

    ``DOWN``: this runtime cannot do its work. ``DEGRADED``: work waits or fails. ``NOTE``: something
    that a person wanted or that passes by itself; it is told because it makes deliveries wait.
    """

    DOWN = "down"
    DEGRADED = "degraded"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, in a sentence, and what to do about it.

    Attributes:
        runbook: The page that tells more, a file name without its ending.
    """

    text: str
    remedy: str = ""
    level: Level = Level.DOWN
    runbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the leading runtime finds itself; only it can know what its loops and Convex do.

    Attributes:
        polled_at: When Convex was listed last, by that runtime's clock.
    """

    at: datetime
    version: str
    problems: tuple[Problem, ...]
    polled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker process by its last pulse, by the clock of Redis."""

    name: str
    pulse_at: datetime
    threads: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What the last attempts told.

    Attributes:
        answered_at: When an agent answered last.
        error: What the gateway did instead of answering since then; a cause.
        failures: Attempts that failed in a row, in whatever conversations.
        cause: Why the last of them failed.
        failed_at: When.
    """

    answered_at: datetime | None = None
    error: str | None = None
    failures: int = 0
    cause: str | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Processes and counts of one account, by the clock of Redis.

    Attributes:
        totals: What happened since the store began, by name; see the store's ``counts.lua``.
        workers: Those that gave a pulse within the last minutes.
        runtimes: How many live.
        leader: The one that leads, or empty.
        term: How often the lead has changed hands.
        report: What the leader told lately; None when nobody did.
        heartbeats: Agents whose next heartbeat is planned.
        cap: Turns at once, over all.
        agent_cap: Turns at once of one agent.
    """

    at: datetime
    totals: Mapping[str, int] = field(default_factory=dict)
    asking: Asking = Asking()
    workers: tuple[Worker, ...] = ()
    runtimes: int = 0
    leader: str = ""
    term: int = 0
    report: Report | None = None
    heartbeats: int = 0
    cap: int = 10
    agent_cap: int = 5

    def live_workers(self) -> tuple[Worker, ...]:
        """Return the workers that count as alive."""
        return tuple(one for one in self.workers if self.at - one.pulse_at < SILENT)


class Where(StrEnum):
    """Where a mailbox stands."""

    RUNNING = "running"
    WAITING = "waiting"
    RESTING = "resting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The first mailboxes of those that stand somewhere, each by the delivery at its head.

    Attributes:
        total: How many stand there in all.
    """

    at: datetime
    total: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one agent does now, by the clock of Redis.

    Attributes:
        waiting: Its conversations in line.
        paused_since: When an operator paused it.
        heartbeat_due: When it is woken next.
        heartbeat_ended: When its last heartbeat ended.
    """

    running: int = 0
    waiting: int = 0
    rests_until: datetime | None = None
    rest_cause: str = ""
    paused_since: datetime | None = None
    heartbeat_due: datetime | None = None
    heartbeat_ended: datetime | None = None
