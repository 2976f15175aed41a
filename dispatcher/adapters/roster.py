"""Who is in the crew, asked of the backend now and then."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from dispatcher.domain.notification import Agent
from dispatcher.ports import Clock, Roster

_KEPT: Final = timedelta(seconds=30)


class CachedRoster:
    """See ``dispatcher.ports.Roster``; a list is good for half a minute."""

    def __init__(self, source: Roster, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._good_until = 0.0
        self._agents: Sequence[Agent] = ()

    def agents(self) -> Sequence[Agent]:
        """See ``Roster.agents``."""
        with self._lock:
            if self._clock.monotonic() < self._good_until:
                return self._agents
        found = self._source.agents()
        with self._lock:
            self._agents = found
            self._good_until = self._clock.monotonic() + _KEPT.total_seconds()
        return found
