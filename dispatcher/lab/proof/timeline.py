"""Acts by their time, done one after the other in one thread."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

_NAP_S: Final = 0.1


@dataclass(order=True, slots=True)
class _Entry:
    at_s: float
    number: int
    act: Callable[[], None] = field(compare=False)


class Timeline:
    """What is still to be done; acts may add further ones.

    One thread does it all, because the kernel ends a child process with the thread that started it.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._numbers = count()
        self._began_s = time.monotonic()

    @property
    def now_s(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self._began_s

    def begin(self) -> None:
        """Let it begin now."""
        self._began_s = time.monotonic()

    def at(self, at_s: float, act: Callable[[], None]) -> None:
        """Add an act at an instant."""
        heapq.heappush(self._entries, _Entry(at_s, next(self._numbers), act))

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Add an act some time from now."""
        self.at(self.now_s + delay_s, act)

    def run(self, idle: Callable[[], None], *, limit_s: float = float("inf")) -> None:
        """Do everything; ``idle`` is called now and then. What is due after the limit is left."""
        while self._entries and self._entries[0].at_s <= limit_s:
            wait_s = self._entries[0].at_s - self.now_s
            if wait_s <= 0:
                heapq.heappop(self._entries).act()
            else:
                time.sleep(min(wait_s, _NAP_S))
            idle()
