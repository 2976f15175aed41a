"""Runs one suspect delivery in a process of its own, so that it takes no other turn with it.

A delivery is suspect when workers died or froze while they held it, twice. Most of these died of
something else, so the third time it gets a child process. Only the death of that child, while its
parent lives, proves that the delivery is the cause.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from typing import Final

from dispatcher.adapters.logs import set_up_logs
from dispatcher.domain.delivery import Claim
from dispatcher.domain.errors import DispatcherError
from dispatcher.domain.ids import ConversationId
from dispatcher.flows.deliver import work_on
from dispatcher.ports import Hold, Isolation
from dispatcher.settings import load_settings
from dispatcher.wiring import wire
from workers.desk import make_desk, make_renewer
from workers.renewer import Renewer

_AT_ONCE: Final = 2
_ENDS_WITHIN_S: Final = 10.0
_LATER: Final = 75
"""The exit code of a process that met trouble which is nobody's fault here, such as Redis away."""
_DEATHS: Final = frozenset({
    signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE,
})  # fmt: skip
"""How a process dies of what it does; other signals come from people and supervisors."""

_log = logging.getLogger(__name__)


class ProcessQuarantine:
    """See ``dispatcher.ports.Quarantine``; few run at once, the others wait in their mailboxes."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def run(self, claim: Claim, *, hold: Hold) -> Isolation:
        """See ``Quarantine.run``."""
        if not self._places.acquire(blocking=False):
            return Isolation.UNDONE
        try:
            return self._run(claim, hold)
        except OSError as error:
            _log.warning("no process for a suspect: %s", error, extra={"action": "quarantine"})
            return Isolation.UNDONE
        finally:
            self._places.release()

    def _run(self, claim: Claim, hold: Hold) -> Isolation:
        hold.check()
        child = subprocess.Popen(
            [sys.executable, "-m", "workers.quarantine"], stdin=subprocess.PIPE, text=True
        )
        _log.warning(
            "its workers died %d times: it runs alone, in process %d",
            claim.strikes,
            child.pid,
            extra={"action": "quarantine", "notification": claim.entry.notification},
        )
        ended_by_us = threading.Event()

        def end() -> None:
            ended_by_us.set()
            child.terminate()
            # One that is frozen hears nothing.
            killer = threading.Timer(_ENDS_WITHIN_S, child.kill)
            killer.daemon = True
            killer.start()

        with hold.on_loss(end):
            _hand_over(child, claim)
            code = child.wait()
        if child.stdin is not None:
            child.stdin.close()
        return isolation_of(code, is_ours=ended_by_us.is_set())


def isolation_of(code: int, *, is_ours: bool) -> Isolation:
    """Read what became of the process from its exit code, negative for a signal.

    Args:
        code: As ``subprocess`` gives it.
        is_ours: We ended it.
    """
    if code == 0:
        return Isolation.ENDED
    if is_ours or code == _LATER:
        return Isolation.UNDONE
    if code > 0:
        return Isolation.FAILED
    return Isolation.DIED if -code in _DEATHS else Isolation.UNDONE


def _hand_over(child: subprocess.Popen[str], claim: Claim) -> None:
    if child.stdin is None:
        return
    try:
        child.stdin.write(
            json.dumps({"conversation": claim.conversation, "token": claim.token}) + "\n"
        )
        child.stdin.flush()
    except BrokenPipeError:
        # It is dead already; waiting for it tells how.
        _log.info("the process ended before it began", extra={"action": "quarantine"})


def main() -> int:
    """Run the delivery whose claim stands on the standard input; return the exit code."""
    given = json.loads(sys.stdin.readline() or "{}")
    if not given:
        return 0
    try:
        _run_alone(ConversationId(given["conversation"]), given["token"])
    except DispatcherError as error:
        _log.warning("not now: %s", error, extra={"action": "quarantine"})
        return _LATER
    return 0


def _run_alone(conversation: ConversationId, token: str) -> None:
    settings = load_settings()
    set_up_logs(level=settings.log_level, process="quarantine", stream=sys.stderr)
    parts = wire(settings)
    renewer = make_renewer(parts)
    signal.signal(signal.SIGTERM, lambda *_: _cancel(renewer))
    # The parent keeps the pipe open while it lives, and nobody else does.
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    renewer.start()
    since = parts.clock.monotonic()
    claim = parts.mailboxes.take_over(conversation, token)
    if isinstance(claim, Claim):
        work_on(claim, since=since, desk=make_desk(parts, renewer, quarantine=None))
    renewer.stop()
    parts.close()


def _cancel(renewer: Renewer) -> None:
    """Give the turn back; not in the signal handler, which may have interrupted a holder of a lock."""
    threading.Thread(target=renewer.cancel_all, name="cancel", daemon=True).start()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
