"""Who is in the crew, read from the shared roster now and then."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from dispatcher.domain.errors import StoreError
from dispatcher.domain.notification import Agent
from dispatcher.ports import Clock, Directory, RosterStore

_KEPT: Final = timedelta(seconds=5)


class SharedDirectory:
    """See ``dispatcher.ports.Directory``.

    Args:
        roster: What the leader heard last.
        source: Asked while there is no roster, or none that can be read.
        clock: What was read is good for some seconds.
    """

    def __init__(self, roster: RosterStore, source: Directory, clock: Clock) -> None:
        self._roster = roster
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._good_until = 0.0
        self._agents: Sequence[Agent] = ()

    def agents(self) -> Sequence[Agent]:
        """See ``Directory.agents``."""
        with self._lock:
            if self._clock.monotonic() < self._good_until:
                return self._agents
        found = self._read()
        with self._lock:
            self._agents = found
            self._good_until = self._clock.monotonic() + _KEPT.total_seconds()
        return found

    def _read(self) -> Sequence[Agent]:
        try:
            roster = self._roster.read()
        except StoreError:
            roster = None
        if roster is None:
            return self._source.agents()
        return tuple(member.agent for member in roster.members)
