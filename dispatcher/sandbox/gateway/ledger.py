"""What was asked and what became of it, for whoever has to prove something."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

Row = dict[str, Any]
Outcome = Literal["running", "answered", "failed", "refused", "aborted", "dropped", "lost"]
"""``aborted``: the client went away; ``dropped``: the connection was closed without an answer;
``lost``: the run was done, but its answer could not be sent."""

_NEVER: Final = float("inf")


class Ledger:
    """Every ask in order of arrival; may be used from all threads.

    Shape of a row:
        ``{"seq", "agent", "session_key", "received_at", "started_at", "ended_at", "outcome",
        "http_status", "input_text", "seen_text", "tools", "reply", "calls", "round", "fault"}``.
        Instants are seconds since the ledger was made, by the monotonic clock; ``started_at`` is
        None for an ask that never ran, ``http_status`` for one that was not answered.
        ``seen_text`` is ``input_text`` with what an aborted turn left in front of it; ``fault`` is
        the name of the fault that is played, or None.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._contended: list[Row] = []
        self._began = time.monotonic()

    def open(self) -> int:
        """Enter an ask that has just been received; return its number, counted from 1."""
        with self._lock:
            seq = len(self._rows) + 1
            self._rows.append({
                "seq": seq, "agent": None, "session_key": None, "received_at": self.now_s(),
                "started_at": None, "ended_at": None, "outcome": "running", "http_status": None,
                "input_text": "", "seen_text": "", "tools": [], "reply": None, "calls": [],
                "round": 0, "fault": None,
            })  # fmt: skip
            return seq

    def amend(self, seq: int, **fields: object) -> None:
        """Write what has become known about an ask."""
        with self._lock:
            self._rows[seq - 1].update(fields)

    def started(self, seq: int) -> None:
        """Note that the run of an ask begins."""
        self.amend(seq, started_at=self.now_s())

    def ended(self, seq: int, outcome: Outcome, http_status: int | None) -> None:
        """Note the end of an ask; always before its answer is sent."""
        self.amend(seq, ended_at=self.now_s(), outcome=outcome, http_status=http_status)

    def note_contention(self, seq: int, session_key: str, behind: list[int]) -> None:
        """Note that an ask arrived while others of its session were running or queued."""
        with self._lock:
            self._contended.append(
                {
                    "seq": seq,
                    "session_key": session_key,
                    "received_at": self._rows[seq - 1]["received_at"],
                    "behind": behind,
                }
            )

    def rows(self) -> list[Row]:
        """Return a copy of all rows."""
        with self._lock:
            return [dict(row) for row in self._rows]

    def contended(self) -> list[Row]:
        """Return the asks that should have waited at the client: ``behind`` lists whom they met."""
        with self._lock:
            return [dict(row) for row in self._contended]

    def now_s(self) -> float:
        """Return the instant that a row would get now."""
        return time.monotonic() - self._began


def overlaps(ledger: Iterable[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Find the pairs of asks of one session whose runs overlap; there should be none."""
    sessions: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in ledger:
        if row["started_at"] is not None:
            sessions[row["session_key"]].append(row)
    return [pair for rows in sessions.values() for pair in _overlapping(rows)]


def _overlapping(rows: list[Mapping[str, Any]]) -> list[tuple[int, int]]:
    rows.sort(key=lambda row: (row["started_at"], row["seq"]))
    found = []
    for index, first in enumerate(rows):
        ended_at = _NEVER if first["ended_at"] is None else first["ended_at"]
        for second in rows[index + 1 :]:
            if second["started_at"] >= ended_at:
                break
            found.append((first["seq"], second["seq"]))
    return found
