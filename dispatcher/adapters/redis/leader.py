"""The lease by which one runtime of an account leads and the others stand by."""

from datetime import timedelta

from dispatcher.adapters.redis.steps import Steps


class RedisLead:
    """One process's claim to the lead."""

    def __init__(self, steps: Steps, *, holder: str, lease: timedelta) -> None:
        self._steps = steps
        self._holder = holder
        self._lease_ms = round(lease.total_seconds() * 1000)

    def take(self) -> int | None:
        """Take or keep the lead; return the term, or None when another process leads.

        Raises:
            StoreUnavailable: Nobody can know.
        """
        return int(self._steps.run("lead", self._holder, self._lease_ms)) or None

    def resign(self) -> int:
        """Give the lead away, when it is ours; return how many other runtimes live.

        Raises:
            StoreUnavailable: It runs out by itself then.
        """
        return int(self._steps.run("resign", self._holder))
