"""The machine's clock."""

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The machine's clock; tests bring one that stands still."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow, for deadlines and durations."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Let the calling thread rest."""
        ...
