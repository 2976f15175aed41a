"""Runs the loops of the runtime, each in a thread, and knows whether they make progress."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from dispatcher.domain.errors import DispatcherError, StoreUnusable
from dispatcher.domain.redact import short_error
from dispatcher.ports import Clock

_STUCK = timedelta(minutes=2)
_AFTER_A_DEFECT = timedelta(seconds=5)

_log = logging.getLogger(__name__)

Round = Callable[[], timedelta]
"""One round of a loop; returns the delay before the next one."""


class Loop:
    """One loop: a round, a delay, a round; a failing round is logged and never ends it.

    Attributes:
        name: A word for logs and metrics.
        wake: Set it, and the next round comes at once.
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

    def is_making_progress(self) -> bool:
        """Say whether the next round is not overdue by minutes."""
        return self._clock.monotonic() < self._due + _STUCK.total_seconds()

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
            return self._round()
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
            self._on_failure(self.name)
            return self._retry_after
        except Exception:  # noqa: BLE001 - a defect in one round must not end the loop
            _log.exception("%s failed by a defect", self.name, extra={"action": self.name})
            self._on_failure(self.name)
            return _AFTER_A_DEFECT


class Supervisor:
    """All loops of the process."""

    def __init__(self, loops: tuple[Loop, ...]) -> None:
        self.loops = loops
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=loop.run, args=(self._stopping,), name=loop.name, daemon=True)
            for loop in loops
        ]

    def start(self) -> None:
        """Start every loop."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, within: timedelta) -> None:
        """Let every round end, but wait no longer than ``within`` for all of them."""
        self._stopping.set()
        for loop in self.loops:
            loop.wake.set()
        share = within.total_seconds() / max(1, len(self._threads))
        for thread in self._threads:
            thread.join(share)

    def stuck(self) -> tuple[str, ...]:
        """Name the loops that make no progress."""
        return tuple(loop.name for loop in self.loops if not loop.is_making_progress())
