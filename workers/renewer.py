"""Keeps this process's leases alive, and closes what was lost.

A frozen or cut-off worker must notice by itself that others may hold its mailbox:

    t0      a renewal is sent and confirmed; Redis lets the lease live until t0 + 12 s or later
    t0+4    the next one gets no answer
    t0+9    the lease counts as lost here: no effect outside is begun, open asks are closed
    t0+12   Redis may hand the mailbox to another worker

Times are those of the worker's own monotonic clock, counted from when a renewal was *sent*.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from dispatcher.domain.delivery import Claim
from dispatcher.domain.errors import LeaseLost, StoreError
from dispatcher.ports import Clock

_MARGIN = timedelta(seconds=3)
_TICK_S = 0.5

_log = logging.getLogger(__name__)


class Renews(Protocol):
    """The one step of the store that the renewer needs."""

    def renew(self, claims: list[Claim], *, ceiling: timedelta) -> tuple[bool, ...]:
        """Renew the leases of claims; say for each whether it is still ours."""
        ...


class HeldClaim:
    """See ``dispatcher.ports.Hold``."""

    def __init__(self, claim: Claim, *, clock: Clock, good_for: timedelta, since: float) -> None:
        self.claim = claim
        self._clock = clock
        self._good_for_s = good_for.total_seconds()
        self._lock = threading.Lock()
        self._confirmed = since
        self._is_lost = False
        self._is_cancelled = False
        self._cancel: Callable[[], None] | None = None

    def check(self) -> None:
        """See ``Hold.check``."""
        if self._is_lost or self.is_overdue():
            raise LeaseLost("the lease was lost or not confirmed in time")

    def is_overdue(self) -> bool:
        """Say whether the last confirmed renewal was sent too long ago."""
        return self._clock.monotonic() - self._confirmed > self._good_for_s

    def confirm(self, sent: float) -> None:
        """Note that a renewal sent at ``sent`` was confirmed."""
        self._confirmed = max(self._confirmed, sent)

    def lose(self) -> None:
        """Note that the claim is lost, and close what runs under it."""
        self._is_lost = True
        self.cancel()

    def cancel(self) -> None:
        """Close what runs under the claim, without giving the claim up."""
        with self._lock:
            self._is_cancelled = True
            if self._cancel is not None:
                self._cancel()

    @contextmanager
    def on_loss(self, cancel: Callable[[], None]) -> Iterator[None]:
        """See ``Hold.on_loss``."""
        with self._lock:
            self._cancel = cancel
            # Between two asks of a turn nothing could be closed: now it can.
            if self._is_cancelled:
                cancel()
        try:
            yield
        finally:
            with self._lock:
                self._cancel = None


class Renewer:
    """See ``dispatcher.ports.Holds``."""

    def __init__(
        self, store: Renews, *, clock: Clock, lease: timedelta, ceiling: timedelta
    ) -> None:
        self._store = store
        self._clock = clock
        self._every_s = lease.total_seconds() / 3
        self._good_for = lease - min(_MARGIN, lease / 4)
        self._ceiling = ceiling
        self._lock = threading.Lock()
        self._held: dict[str, HeldClaim] = {}
        self._stopped = threading.Event()
        self._all_cancelled = False

    def start(self) -> None:
        """Start the renewing and the watching thread; both end with the process or ``stop``."""
        for name, loop in (("renewer", self._renew_for_ever), ("lease-watch", self._watch)):
            threading.Thread(target=loop, name=name, daemon=True).start()

    def stop(self) -> None:
        """End both threads."""
        self._stopped.set()

    @property
    def running(self) -> int:
        """Return how many turns this process runs now."""
        with self._lock:
            return len(self._held)

    @contextmanager
    def hold(self, claim: Claim, *, since: float) -> Iterator[HeldClaim]:
        """See ``Holds.hold``."""
        held = HeldClaim(claim, clock=self._clock, good_for=self._good_for, since=since)
        with self._lock:
            self._held[claim.token] = held
            is_late = self._all_cancelled
        if is_late:
            held.cancel()
        try:
            yield held
        finally:
            # In any case: the claim of a dead thread must not be renewed for ever.
            with self._lock:
                del self._held[claim.token]

    def cancel_all(self) -> None:
        """Close all asks, now and later; their turns end and give their claims back."""
        with self._lock:
            self._all_cancelled = True
        for held in self._snapshot():
            held.cancel()

    def renew_once(self) -> None:
        """Renew all held claims in one call."""
        # An overdue claim counts as lost here: reviving it would only keep others from it.
        held = [one for one in self._snapshot() if not one.is_overdue()]
        if not held:
            return
        sent = self._clock.monotonic()
        try:
            kept = self._store.renew([one.claim for one in held], ceiling=self._ceiling)
        except StoreError as error:
            _log.warning("leases were not renewed: %s", error, extra={"action": "renew"})
            return
        for one, is_kept in zip(held, kept, strict=True):
            if is_kept:
                one.confirm(sent)
            elif one in self._snapshot():
                _log.warning("a lease was lost", extra={"action": "lease_lost"})
                one.lose()

    def watch_once(self) -> None:
        """Give up the claims whose renewal is overdue."""
        for one in self._snapshot():
            if one.is_overdue():
                one.lose()

    def _snapshot(self) -> list[HeldClaim]:
        with self._lock:
            return list(self._held.values())

    def _renew_for_ever(self) -> None:
        while not self._stopped.wait(self._every_s):
            _guarded(self.renew_once)

    def _watch(self) -> None:
        # A thread of its own: a renewal may hang in Redis for longer than the lease lives.
        while not self._stopped.wait(_TICK_S):
            _guarded(self.watch_once)


def _guarded(step: Callable[[], None]) -> None:
    """Run a step; a defect in one must not end the thread that all leases depend on."""
    try:
        step()
    except Exception:  # noqa: BLE001
        _log.exception("a lease step failed by a defect", extra={"action": "renew"})
