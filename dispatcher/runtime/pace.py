"""How often the poller looks: every second while there is work, slower and slower without."""

import random
from datetime import timedelta
from typing import Final

_STAYS_FAST: Final = timedelta(minutes=1)
_SLOWS_BY: Final = 1.5


class Pace:
    """Gives the delay before the next poll.

    Args:
        fast: The delay while there was work within the last minute.
        slow: The longest delay without work.
        backoff_base: The first bound after a failed poll; it doubles from failure to failure.
        backoff_max: The last bound.
    """

    def __init__(
        self,
        *,
        fast: timedelta,
        slow: timedelta,
        backoff_base: timedelta,
        backoff_max: timedelta,
    ) -> None:
        self._fast = min(fast, slow)
        self._slow = slow
        self._base = backoff_base
        self._max = backoff_max
        self._idle = timedelta(0)
        self._delay = self._fast
        self.failures = 0

    def after_success(self, *, had_work: bool, is_full: bool) -> timedelta:
        """Give the delay after a poll that succeeded; none when the page was full."""
        self.failures = 0
        if had_work:
            self._idle = timedelta(0)
            self._delay = self._fast
            return timedelta(0) if is_full else self._fast
        self._idle += self._delay
        if self._idle > _STAYS_FAST:
            self._delay = min(self._slow, self._delay * _SLOWS_BY)
        return self._delay

    def after_failure(self) -> timedelta:
        """Give the delay after a failed poll: full jitter under a doubling, bounded limit."""
        self.failures += 1
        bound = min(self._max, self._base * (1 << min(self.failures - 1, 20)))
        return bound * random.uniform(0.1, 1)  # noqa: S311 - jitter, not a secret

    def quicken(self) -> None:
        """Return to the fast rhythm: somebody said that there is work."""
        self._idle = timedelta(0)
        self._delay = self._fast
