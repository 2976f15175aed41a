"""Tells the backend how this runtime is: at once, then regularly, on change, and at the end.

The backend declares a runtime offline whose last sign of life is 90 s old, so nothing here waits
for anything else, and whoever becomes the leader reports at once.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Protocol

from dispatcher.domain.errors import BackendError
from dispatcher.ports import Clock
from dispatcher.runtime.leadership import Leadership

LOOK: Final = timedelta(seconds=2)
_GAP: Final = timedelta(seconds=5)
"""So long at least between two reports: a state that flickers shall not flood anybody."""

_GRACE_S: Final = 5.0
_FIRST_LOOK: Final = timedelta(milliseconds=500)

_log = logging.getLogger(__name__)


class Reports(Protocol):
    """What the backend takes."""

    def report_status(self, status: str, config: dict[str, Any] | None = None) -> None:
        """Report how the runtime is; without a config the last one is kept."""
        ...


class Health(Protocol):
    """What is known of this process."""

    def is_well(self) -> bool:
        """Say whether nothing keeps it from being ready."""
        ...

    def report(self) -> dict[str, Any]:
        """Return what the backend shows of this runtime."""
        ...

    def are_credentials_rejected(self) -> bool:
        """Say whether the backend did not accept us when it was last asked."""
        ...


class StatusReports:
    """Reports while this runtime leads.

    Args:
        backend: Takes the reports.
        health: Tells how we are.
        leadership: Only the leader reports.
        clock: Says when it is time.
        every: The usual distance of two reports.
        on_change: Called with a status that differs from the one before.
    """

    def __init__(
        self,
        backend: Reports,
        health: Health,
        leadership: Leadership,
        *,
        clock: Clock,
        every: timedelta,
        on_change: Callable[[str], None] = lambda _status: None,
    ) -> None:
        self._backend = backend
        self._health = health
        self._leadership = leadership
        self._clock = clock
        self._every = every
        self._on_change = on_change
        self._last: str | None = None
        self._led_since: float | None = None
        self._next = 0.0
        self._not_before = 0.0
        self.count = 0

    def round(self) -> timedelta:
        """Report when it is time to, or something has changed.

        Raises:
            BackendError: The report did not arrive; the next round tries again.
        """
        if not self._speaks():
            # Whoever leads anew reports at once, whatever was told before.
            self._last = self._led_since = None
            return LOOK
        now = self._clock.monotonic()
        if self._led_since is None:
            self._led_since = now
        if self._health.are_credentials_rejected() or now < self._not_before:
            return LOOK
        status = "online" if self._health.is_well() else "degraded"
        if self._last is None and status == "degraded" and now < self._led_since + _GRACE_S:
            # The first looks are still under way; "back online" is told only of whoever was offline.
            return _FIRST_LOOK
        if status == self._last and now < self._next:
            return LOOK
        self._not_before = now + _GAP.total_seconds()
        self._backend.report_status(status, self._health.report())
        if status != self._last:
            self._on_change(status)
            _log.info("the backend knows that we are %s", status, extra={"action": "status"})
        self._last, self.count = status, self.count + 1
        self._next = now + self._every.total_seconds()
        return LOOK

    def _speaks(self) -> bool:
        """Say whether this runtime is the one that reports.

        While Redis is away nobody leads. Then whoever has reported before goes on: otherwise the
        backend would take all of us for gone.
        """
        if self._leadership.term() is not None:
            return True
        return self._last is not None and not self._leadership.is_known()

    def leave(self, *, others: int | None) -> None:
        """Say at a clean end that we are gone, unless another runtime lives; best effort.

        Args:
            others: How many live; None when nobody knows: then only the one that reported speaks.
        """
        is_last = others == 0 or (others is None and self._last is not None)
        if not is_last or self._health.are_credentials_rejected():
            return
        try:
            self._backend.report_status("offline")
        except BackendError as error:
            _log.warning(
                "the backend does not know that we stop: %s", error, extra={"action": "stop"}
            )
