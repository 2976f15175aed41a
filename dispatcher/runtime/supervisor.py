"""Runs the loops of the runtime, each in a thread, and knows whether they make progress."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from dispatcher.domain.errors import DispatcherError, StoreUnusable
from dispatcher.domain.redact import short_error
from dispatcher.ports import Clock

_STUCK = timedelta(minutes=5)
"""An audit of 500 rows with a slow backend takes minutes."""
_HOPELESS = timedelta(minutes=15)
"""A loop that makes no progress for so long will not: the process ends, to be started again."""
_AFTER_A_DEFECT = timedelta(seconds=5)
_LONGEST = timedelta(minutes=1)
_TELLS_FROM = 3
_WATCH_S = 5.0

_log = logging.getLogger(__name__)

Round = Callable[[], timedelta]
"""One round of a loop; returns the delay before the next one."""


class Loop:
    """One loop: a round, a delay, a round; a failing round is logged and never ends it.

    Attributes:
        name: A word for logs and metrics.
        wake: Set it, and the next round comes at once.
        failures: Rounds that failed in a row; those that failed by a defect come slower and slower.
        last_error: What the last of them said.
    """

    def __init__(
        self,
        name: str,
        one_round: Round,
        *,
        clock: Clock,
        retry_after: timedelta,
        on_failure: Callable[[str], None],
        on_fatal: Callable[[StoreUnusable], None],
    ) -> None:
        self.name = name
        self.wake = threading.Event()
        self._round = one_round
        self._clock = clock
        self._retry_after = retry_after
        self._on_failure = on_failure
        self._on_fatal = on_fatal
        self._due = clock.monotonic()
        self._defects = 0
        self.failures = 0
        self.last_error = ""

    def is_making_progress(self, within: timedelta = _STUCK) -> bool:
        """Say whether the next round is not overdue by minutes."""
        return self._clock.monotonic() < self._due + within.total_seconds()

    def trouble(self) -> str | None:
        """Say what is wrong when the last rounds have all failed, or None."""
        if self.failures < _TELLS_FROM:
            return None
        return f"The loop {self.name} has failed {self.failures} times in a row: {self.last_error}"

    def run(self, stopping: threading.Event) -> None:
        """Run rounds until told to stop."""
        while not stopping.is_set():
            delay = self._one_round()
            self._due = self._clock.monotonic() + delay.total_seconds()
            # Cleared only when it was seen: one that is set right after the wait counts next time.
            if self.wake.wait(delay.total_seconds()):
                self.wake.clear()

    def _one_round(self) -> timedelta:
        try:
            delay = self._round()
        except StoreUnusable as error:
            self._on_fatal(error)
            return self._retry_after
        except DispatcherError as error:
            _log.warning(
                "%s failed and is tried again in %.0f s: %s",
                self.name,
                self._retry_after.total_seconds(),
                short_error(str(error)),
                extra={"action": self.name},
            )
            self._note(error)
            return self._retry_after
        except Exception as error:  # noqa: BLE001 - a defect in one round must not end the loop
            self._defects += 1
            delay = min(_LONGEST, _AFTER_A_DEFECT * (1 << min(self._defects - 1, 10)))
            _log.exception(
                "%s failed by a defect and is tried again in %.0f s",
                self.name,
                delay.total_seconds(),
                extra={"action": self.name},
            )
            self._note(error)
            return delay
        self.failures = self._defects = 0
        return delay

    def _note(self, error: Exception) -> None:
        self.failures += 1
        self.last_error = short_error(str(error) or type(error).__name__)
        self._on_failure(self.name)


class Supervisor:
    """All loops of the process."""

    def __init__(self, loops: tuple[Loop, ...]) -> None:
        self.loops = loops
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=loop.run, args=(self._stopping,), name=loop.name, daemon=True)
            for loop in loops
        ]

    def start(self, *, on_hopeless: Callable[[tuple[str, ...]], None]) -> None:
        """Start every loop, and watch them: ``on_hopeless`` is called with those that hang."""
        for thread in self._threads:
            thread.start()
        watch = threading.Thread(target=self._watch, args=(on_hopeless,), name="watch", daemon=True)
        watch.start()

    def _watch(self, on_hopeless: Callable[[tuple[str, ...]], None]) -> None:
        before: tuple[str, ...] = ()
        while not self._stopping.wait(_WATCH_S):
            found = self.hopeless()
            # Whoever was frozen wakes up together with its loops: they get a moment to go on.
            hanging = tuple(name for name in found if name in before)
            if hanging:
                on_hopeless(hanging)
                return
            before = found

    def stop(self, *, within: timedelta) -> None:
        """Let every round end, but wait no longer than ``within`` for all of them."""
        self._stopping.set()
        for loop in self.loops:
            loop.wake.set()
        deadline = time.monotonic() + within.total_seconds()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def hopeless(self) -> tuple[str, ...]:
        """Name the loops that have made no progress for so long that they will not."""
        return tuple(loop.name for loop in self.loops if not loop.is_making_progress(_HOPELESS))

    def troubles(self) -> tuple[str, ...]:
        """Say which loops fail again and again, a sentence each."""
        return tuple(filter(None, (loop.trouble() for loop in self.loops)))

    def stuck(self) -> tuple[str, ...]:
        """Name the loops that make no progress."""
        return tuple(loop.name for loop in self.loops if not loop.is_making_progress())
