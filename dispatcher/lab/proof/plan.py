"""What a proof will do: who says what when, and what breaks when."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

KILL_EVERY_S: Final = 5.0
FREEZE_S: Final = 15.0
"""Longer than the lease of 12 s, and than the lead of 10 s."""

USUAL_S: Final = 120.0
_BEFORE_THE_FIRST_S: Final = 5.0
_AFTER_THE_LAST_S: Final = 5.0
_SHORTEST_S: Final = 20.0

CREW: Final = ("engineer", "writer", "squad-lead", "scout", "critic", "builder")
"""The slugs of the agents; a plan names them by their place here."""


class Trouble(StrEnum):
    """What can be done to the parts of a stack."""

    WORKER_KILLED = "worker_killed"
    RUNTIME_KILLED = "runtime_killed"
    WORKER_FROZEN = "worker_frozen"
    RUNTIME_FROZEN = "runtime_frozen"
    REDIS_KILLED = "redis_killed"
    REDIS_STOPPED = "redis_stopped"
    REDIS_FLUSHED = "redis_flushed"
    BACKEND_CUT_AFTER_COMMIT = "backend_cut_after_commit"
    BACKEND_CUT_BEFORE = "backend_cut_before"
    BACKEND_FAILED = "backend_failed"
    BACKEND_SLOW = "backend_slow"
    GATEWAY_AWAY = "gateway_away"
    GATEWAY_DRAINING = "gateway_draining"


class Slip(StrEnum):
    """What an agent's run can do wrong, by the marker in the message that asks for it."""

    HANG = "hang"
    FAILED_RUN = "error:500"
    PROVIDER_ERROR = "error:502"
    FAILED_IN_SUCCESS = "failed"
    GARBAGE = "garbage"
    BROKEN_JSON = "brokenjson"
    DROPPED = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator chose.

    Attributes:
        seed: Everything random follows from it.
        seconds: How long load and troubles last.
        kills: How many workers and runtimes are killed in that time.
        workers: How many worker processes run.
        flushes: Whether Redis is made to forget everything once.
    """

    seed: int
    seconds: float
    kills: int
    workers: int = 3
    flushes: bool = False

    @property
    def first_s(self) -> float:
        """Return when the first trouble may come."""
        return min(_BEFORE_THE_FIRST_S, self.seconds / 4)

    @property
    def last_s(self) -> float:
        """Return when the last trouble may come."""
        return self.seconds - min(_AFTER_THE_LAST_S, self.seconds / 4)


def choose(
    *, seed: int, minutes: float | None, kills: int | None, workers: int, flushes: bool
) -> Options:
    """Fill in what was left open: kills follow from the minutes, or the minutes from the kills."""
    if minutes is not None:
        seconds = minutes * 60
    elif kills is not None:
        seconds = kills * KILL_EVERY_S + _BEFORE_THE_FIRST_S + _AFTER_THE_LAST_S
    else:
        seconds = USUAL_S
    seconds = max(seconds, _SHORTEST_S)
    if kills is None:
        kills = int((seconds - _BEFORE_THE_FIRST_S - _AFTER_THE_LAST_S) / KILL_EVERY_S)
    return Options(seed=seed, seconds=seconds, kills=kills, workers=workers, flushes=flushes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A task is created and assigned.

    Attributes:
        at_s: Seconds after the start.
        thread: Its number, in order of opening.
        crew: Places of its agents in ``CREW``.
    """

    at_s: float
    thread: int
    crew: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A person writes into a thread.

    Attributes:
        at_s: Seconds after the start.
        thread: Where.
        word: Unique.
        mentions: Places of the mentioned agents in ``CREW``; none for a message to all subscribers.
        markers: How the scripted gateway plays the turn; ``TASK_ID`` stands for the task's id.
        slip: What the turn does wrong first, if anything.
    """

    at_s: float
    thread: int
    word: str
    mentions: tuple[int, ...]
    markers: str
    slip: Slip | None = None

    def text(self, task: str) -> str:
        """Write the message."""
        names = "".join(f"@{CREW[place]} " for place in self.mentions)
        return f"{names}{self.word} please look at this {self.markers.replace('TASK_ID', task)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """Something breaks.

    Attributes:
        at_s: Seconds after the start.
        trouble: What.
        target: Which process of its kind, counted from 0; the next one that runs is struck.
        wants_leader: Strike the runtime that leads instead.
        lasting_s: Until it is mended, where that is ours to do.
        action: Backend faults: which action.
        count: Backend faults: how many calls.
        kind: Backend faults: the name that the sandbox knows.
    """

    at_s: float
    trouble: Trouble
    target: int = 0
    wants_leader: bool = False
    lasting_s: float = 0.0
    action: str = "*"
    count: int = 1
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it, each part in order of time."""

    options: Options
    openings: tuple[Opening, ...]
    sayings: tuple[Saying, ...]
    blows: tuple[Blow, ...]
