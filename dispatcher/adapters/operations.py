"""Operations by count, duration and last error: what ``GET /metrics`` tells as JSON."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from dispatcher.domain.redact import short_error
from dispatcher.ports import Clock

AGENT_OPERATIONS: Final = {
    "task_status": "agent.task_status",
    "task_update": "agent.task_update",
    "task_create": "agent.task_create",
    "document_upsert": "agent.document",
}
"""What calls of agents over HTTP are called; the others are only in the Prometheus metrics."""

NAMES: Final = ("delivery.poll", "heartbeat.execute", "agent_sync.run", *AGENT_OPERATIONS.values())


@dataclass(slots=True)
class _Sum:
    count: int = 0
    failures: int = 0
    total_ms: float = 0.0
    min_ms: float | None = None
    max_ms: float | None = None
    error: str | None = None
    failed_at: datetime | None = None


class Operations:
    """What this process did."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sums = {name: _Sum() for name in NAMES}

    def note(self, operation: str, *, took: timedelta, error: str | None) -> None:
        """Add one operation."""
        ms = took / timedelta(milliseconds=1)
        with self._lock:
            one = self._sums.setdefault(operation, _Sum())
            one.count += 1
            one.total_ms += ms
            one.min_ms = ms if one.min_ms is None else min(ms, one.min_ms)
            one.max_ms = ms if one.max_ms is None else max(ms, one.max_ms)
            if error is not None:
                one.failures += 1
                one.error, one.failed_at = short_error(error), self._clock.now()

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return every operation with its sums; durations and times in milliseconds."""
        with self._lock:
            return {name: _form(one) for name, one in self._sums.items()}


def _form(one: _Sum) -> dict[str, Any]:
    return {
        "count": one.count,
        "successCount": one.count - one.failures,
        "failureCount": one.failures,
        "totalDurationMs": round(one.total_ms, 1),
        "minDurationMs": None if one.min_ms is None else round(one.min_ms, 1),
        "maxDurationMs": None if one.max_ms is None else round(one.max_ms, 1),
        "lastError": one.error,
        "lastErrorAt": None if one.failed_at is None else round(one.failed_at.timestamp() * 1000),
    }
