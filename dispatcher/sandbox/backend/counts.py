"""How often each action was called, by account."""

import threading
from collections import Counter, defaultdict


class CallCounts:
    """Counts calls as they arrive, whether or not they succeed; kept in memory only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, account: str, action: str) -> None:
        """Count one call."""
        with self._lock:
            self._counts[account][action] += 1

    def of(self, account: str) -> dict[str, int]:
        """Return the counts of one account."""
        with self._lock:
            return dict(self._counts[account])
