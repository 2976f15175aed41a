"""How often one session may call: a window for each, and a bounded number of them."""

import math
import threading
from typing import Final

from dispatcher.ports import Clock

CALLS: Final = 120
WINDOW_S: Final = 60.0
_SESSIONS: Final = 10_000


class Budget:
    """So many calls in so many seconds."""

    def __init__(self, clock: Clock, *, calls: int = CALLS, window_s: float = WINDOW_S) -> None:
        self._clock = clock
        self._calls = calls
        self._window_s = window_s
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def wait(self, session: str) -> int | None:
        """Return None when a call may be made, else in how many seconds one may; count nothing."""
        now = self._clock.monotonic()
        with self._lock:
            since, used = self._windows.get(session, (now, 0))
        if used < self._calls or now - since >= self._window_s:
            return None
        return max(1, math.ceil(since + self._window_s - now))

    def take(self, session: str) -> int | None:
        """Count one call; return None when it may be made, else in how many seconds one may."""
        now = self._clock.monotonic()
        with self._lock:
            since, used = self._windows.pop(session, (now, 0))
            if now - since >= self._window_s:
                since, used = now, 0
            # The newest stands last, so the first is the one that called longest ago.
            self._windows[session] = (since, used + 1)
            if len(self._windows) > _SESSIONS:
                del self._windows[next(iter(self._windows))]
        if used < self._calls:
            return None
        return max(1, math.ceil(since + self._window_s - now))
