"""The machine's clock."""

import time
from datetime import UTC, datetime, timedelta


class MachineClock:
    """See ``dispatcher.ports.Clock``."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock that others take

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def sleep(self, duration: timedelta) -> None:
        """Let the calling thread rest."""
        time.sleep(duration.total_seconds())
