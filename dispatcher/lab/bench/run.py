"""Runs one case: creates notifications in its rhythm, waits for the replies, measures meanwhile."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from dispatcher.lab.bench.cases import Case
from dispatcher.lab.bench.facts import LISTS, Result, facts_of
from dispatcher.lab.bench.meter import Reading
from dispatcher.lab.bench.stage import Stage
from dispatcher.lab.bench.yardstick import Yardstick
from dispatcher.lab.stack import StackFailed
from dispatcher.ports import Clock

_TICK: Final = timedelta(milliseconds=200)
_SETTLES: Final = timedelta(seconds=2)
_TELLS_S: Final = 5.0
_LOOK_S: Final = 0.5
_STUCK_S: Final = 60.0


@dataclass(slots=True)
class Watch:
    """What is noted while a case runs.

    Attributes:
        begin, end: The readings between which is measured.
        lists: When the backend was asked for its list, by the stand-in's clock, and how often by then.
        yardstick: How fast the machine was.
        is_partial: It was interrupted.
    """

    begin: Reading
    end: Reading | None = None
    lists: list[tuple[float, int]] = field(default_factory=list)
    yardstick: Yardstick = field(default_factory=Yardstick)
    is_partial: bool = False


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came while everything was being stopped; what was measured is whole."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


def run_case(case: Case, folder: Path, clock: Clock, say: Callable[[str], None]) -> Result:
    """Run one case on a fresh stack.

    Args:
        case: What to run.
        folder: For logs and data.
        clock: The machine's.
        say: Tells people what goes on.

    Returns:
        What was measured; marked as partial when Ctrl-C came in the middle.

    Raises:
        Interrupted: Ctrl-C came when it was measured already.
        StackFailed: A part of the stack did not come up, or does not go on.
        NoRedisServer: There is no Redis to start.
    """
    say(f"{case.name}: starting …")
    stage = Stage(folder, case, clock).start()
    try:
        result = _Run(case, stage, clock, say).whole()
    except BaseException:
        _stop(stage)
        raise
    if _stop(stage):
        raise Interrupted(result)
    return result


def _stop(stage: Stage) -> bool:
    """Stop everything, whatever comes in between; say whether somebody wanted no more meanwhile."""
    try:
        stage.stop()
    except KeyboardInterrupt:
        stage.stop()
        return True
    return False


class _Run:
    def __init__(self, case: Case, stage: Stage, clock: Clock, say: Callable[[str], None]) -> None:
        self._case = case
        self._stage = stage
        self._clock = clock
        self._say = say
        self._began = self._told_at = self._looked_at = clock.monotonic()
        self._seen: dict[str, Any] = {}
        self._skips = case.skips
        self._moved_at = self._began

    def whole(self) -> Result:
        """Run it, and make facts of what was seen."""
        case, clock = self._case, self._clock
        if case.hanging:
            self._stage.notify([case.conversations + number for number in range(case.hanging)])
        # What starting has cost shall not count.
        clock.sleep(_SETTLES)
        watch = Watch(begin=self._stage.read())
        self._began = self._moved_at = clock.monotonic()
        try:
            if case.seconds and case.notifications:
                self._trickle(watch)
            elif case.notifications:
                self._stage.notify([at % case.conversations for at in range(case.notifications)])
            self._wait(watch)
        except KeyboardInterrupt:
            watch.is_partial = True
        watch.end = watch.end or self._stage.read()
        groups, ledger = self._stage.groups, self._stage.ledger()
        return facts_of(case, watch, self._stage.progress(), ledger, groups)

    def _trickle(self, watch: Watch) -> None:
        """Create one in each equal part of the time, at a moment of its own: polls have a beat."""
        case, chance = self._case, random.Random(1)  # noqa: S311 - no secret
        part = case.seconds / case.notifications
        for number in range(case.notifications):
            due = self._began + part * (number + chance.random())
            while (rest := due - self._clock.monotonic()) > 0:
                self._tick(watch, min(timedelta(seconds=rest), _TICK))
            self._stage.notify([number % case.conversations])

    def _wait(self, watch: Watch) -> None:
        case = self._case
        wanted = case.ends or case.notifications + case.stored
        while True:
            self._tick(watch, _TICK)
            if wanted:
                if self._seen["delivered"] >= wanted:
                    return
            elif self._clock.monotonic() >= self._began + case.seconds:
                return
            if wanted and self._clock.monotonic() > self._moved_at + _STUCK_S:
                raise StackFailed(
                    f"no reply for {_STUCK_S:.0f} s; {self._seen['delivered']} of {wanted} are there"
                )

    def _tick(self, watch: Watch, rest: timedelta) -> None:
        self._clock.sleep(rest)
        seen, now = self._stage.progress(), self._clock.monotonic()
        if now >= self._looked_at + _LOOK_S:
            self._looked_at = now
            watch.yardstick.look()
        for group in self._stage.groups.values():
            group.look_at_memory()
        before = self._seen
        if before and seen["delivered"] != before["delivered"]:
            self._moved_at = now
        if before and seen["listed_ms"] != before["listed_ms"]:
            watch.lists.append((seen["listed_ms"] / 1000, seen["calls"][LISTS]))
        if self._skips and seen["delivered"] >= self._skips:
            self._skips, watch.begin = 0, self._stage.read()
        self._seen = seen
        if now >= self._told_at + _TELLS_S:
            self._told_at = now
            self._say(
                f"{self._case.name}: {now - self._began:5.0f} s, "
                f"{seen['delivered']} of {seen['created']} delivered"
            )
