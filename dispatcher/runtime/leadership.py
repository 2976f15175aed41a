"""Whether this runtime leads: polls and sweeps are the leader's work, the others stand by.

The lead is a lease. Like a worker with its claims, a runtime that was frozen or cut off must notice
by itself that another one may lead: its term counts only for a while from when the last
confirmed renewal was *sent*. A step of an old term is refused by the store as well.
"""

import logging
import threading
from datetime import timedelta
from typing import Final, Protocol

from dispatcher.domain.errors import StoreError
from dispatcher.ports import Clock

LEASE: Final = timedelta(seconds=10)
STAND_BY: Final = timedelta(milliseconds=500)
"""How often a loop of a standby looks whether it leads by now."""

_EVERY: Final = timedelta(seconds=2)
_MARGIN: Final = timedelta(seconds=3)

_log = logging.getLogger(__name__)


class Lead(Protocol):
    """The lease in the store."""

    def take(self) -> int | None:
        """Take or keep the lead; return the term, or None when another process leads."""
        ...

    def resign(self) -> int:
        """Give the lead away, when it is ours; return how many other runtimes live."""
        ...


class Leadership:
    """What this process knows of its lead."""

    def __init__(self, lead: Lead, clock: Clock) -> None:
        self._lead = lead
        self._clock = clock
        self._lock = threading.Lock()
        self._term: int | None = None
        self._good_until = 0.0
        self._was_told = False
        self._trouble: str | None = None
        self._has_resigned = False

    def trouble(self) -> str | None:
        """Say why the store did not tell lately who leads, or None."""
        with self._lock:
            return self._trouble

    def term(self) -> int | None:
        """Return the term while this process leads for certain, else None."""
        with self._lock:
            return self._term if self._clock.monotonic() < self._good_until else None

    def is_known(self) -> bool:
        """Say whether the store has told lately who leads."""
        with self._lock:
            return self._clock.monotonic() < self._good_until

    def round(self) -> timedelta:
        """Take or keep the lead once.

        Raises:
            StoreError: Redis is away; the term runs out by itself.
        """
        if self._has_resigned:
            return _EVERY
        sent = self._clock.monotonic()
        try:
            term = self._lead.take()
        except StoreError as error:
            with self._lock:
                self._trouble = str(error)
            raise
        with self._lock:
            self._trouble = None
            before, self._term = self._term, term
            self._good_until = sent + (LEASE - _MARGIN).total_seconds()
        if term != before or not self._was_told:
            self._was_told = True
            text = "leads" if term else "stands by: another runtime leads"
            _log.info("this runtime %s", text, extra={"action": "lead"})
        return _EVERY

    def resign(self) -> int | None:
        """Stop leading at a clean end; return how many other runtimes live, None if nobody knows."""
        with self._lock:
            self._term, self._has_resigned = None, True
        try:
            return self._lead.resign()
        except StoreError as error:
            _log.info("the lead runs out by itself: %s", error, extra={"action": "lead"})
            return None
