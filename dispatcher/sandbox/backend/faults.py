"""Faults on request: what can go wrong between a client and the backend, before or after commit."""

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from dispatcher.sandbox.backend.errors import FunctionError, TransportError

AFTER_COMMIT: Final = "_after_commit"
_INTERNAL: Final = "Your request couldn't be completed. Try again later."
_CONFLICT: Final = (
    'Documents read from or written to the "notifications" table changed while this mutation was '
    "being run and on every subsequent retry."
)
ANSWERS: Final[dict[str, tuple[int, str, str]]] = {
    "408": (408, "", ""),
    "421": (421, "MisdirectedRequest", "The deployment has moved."),
    "425": (425, "TooEarly", "The deployment is loading."),
    "429": (429, "TooManyConcurrentRequests", "Too many concurrent requests."),
    "500": (500, "InternalServerError", _INTERNAL),
    "502_html": (502, "", "<html><body><h1>502 Bad Gateway</h1></body></html>"),
    "503_queue": (503, "ExpiredInQueue", "Too many requests are waiting."),
    "503_overload": (503, "CommitterFullError", "Too many writes are waiting."),
}
"""Faults that are HTTP answers: status, code, message; without a code the message is the body."""

TEXTS: Final[dict[str, str]] = {
    "write_conflict": _CONFLICT,
    "too_many": "Too many concurrent requests in a short period of time.",
    "internal": _INTERNAL,
    "paused": "Cannot run functions while this deployment is paused.",
    "redacted": "",
}
"""Faults that are function errors: the text; an empty one shows as production shows any error."""

KINDS: Final = frozenset({*ANSWERS, *TEXTS, "drop", "delay"})


class Dropped(Exception):
    """The connection is to be cut without an answer."""


@dataclass(slots=True)
class Fault:
    """One fault that waits for its calls.

    Attributes:
        action: Name of the action, or ``*`` for every one.
        kind: One of ``KINDS``.
        times: How many calls it still strikes.
        after: How many matching calls it still lets pass.
        delay_s: Seconds to wait first.
        committed: Whether it strikes after the action ran.
    """

    action: str
    kind: str
    times: int
    after: int
    delay_s: float
    committed: bool

    def strike(self) -> None:
        """Do what the fault does to one call.

        Raises:
            Dropped: The connection is to be cut.
            TransportError: The call is answered with an HTTP error.
            FunctionError: The call is answered with a function error.
        """
        if self.delay_s:
            time.sleep(self.delay_s)
        if self.kind == "drop":
            raise Dropped
        if self.kind in ANSWERS:
            raise TransportError(*ANSWERS[self.kind])
        if self.kind in TEXTS:
            # A paused deployment refuses before anything runs; the others fail within a mutation.
            raise FunctionError(TEXTS[self.kind], levels=0 if self.kind == "paused" else 2)


class Faults:
    """The faults that wait; each call takes at most one, in the order they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._struck: Counter[str] = Counter()

    def add(
        self,
        action: str = "*",
        *,
        kind: str,
        times: int = 1,
        after: int = 0,
        delay_s: float = 0.0,
    ) -> None:
        """Let calls fail.

        Args:
            action: Name of the action, or ``*`` for every one.
            kind: One of ``KINDS``; with the suffix ``_before`` (the default) nothing has run, with
                ``_after_commit`` the action has run and only its answer is lost or spoilt.
            times: How many calls are struck.
            after: How many matching calls pass unharmed first.
            delay_s: Seconds to wait before striking; ``delay`` does nothing else.

        Raises:
            ValueError: There is no such kind.
        """
        bare = kind.removesuffix("_before").removesuffix(AFTER_COMMIT)
        if bare not in KINDS:
            message = f"unknown fault {kind!r}, known are {', '.join(sorted(KINDS))}"
            raise ValueError(message)
        committed = kind.endswith(AFTER_COMMIT)
        with self._lock:
            self._waiting.append(Fault(action, bare, times, after, delay_s, committed))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._waiting.clear()

    def struck(self) -> dict[str, int]:
        """Return how many calls were struck so far, by kind; clearing does not reset it."""
        with self._lock:
            return dict(self._struck)

    def take(self, action: str) -> Fault | None:
        """Return the fault that strikes this call, if any, and count it."""
        with self._lock:
            for fault in self._waiting:
                if fault.action in {"*", action}:
                    if fault.after > 0:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    self._struck[fault.kind + (AFTER_COMMIT if fault.committed else "")] += 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None
