"""Follow what people ask for: restart, or make way for another version."""

import logging
from dataclasses import dataclass

from dispatcher.domain.upgrade import Step, Versions, decide
from dispatcher.ports import Restarts, Wishes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Why all processes are to end; ``initiated_ms`` names the upgrade, if it is one."""

    reason: str
    initiated_ms: int | None = None


def follow_wishes(
    *,
    wishes: Wishes,
    restarts: Restarts,
    running: Versions | None,
    began_under: str,
    is_old: bool,
) -> Wish | None:
    """Look once what was asked for.

    Args:
        wishes: The backend.
        restarts: Remembers which upgrade was tried.
        running: What runs now; None while that is not known, and then no upgrade is looked at.
        began_under: The last call when this process began.
        is_old: This process has run for minutes.

    Returns:
        Why all processes are to end, or None. The caller calls them, until that succeeds: a restart
        request is gone from the backend once it was read.

    Raises:
        BackendError: Nothing was read, or nobody knows; asked again later.
        StoreError: The same.
    """
    if wishes.take_restart_request():
        return Wish(reason="a restart was requested")
    pending = wishes.pending_upgrade()
    if pending is None or running is None:
        return None
    step = decide(
        pending, running=running, tried=restarts.tried(), began_under=began_under, is_old=is_old
    )
    match step:
        case Step.LEAVE:
            reason = f"an upgrade to {_named(pending.target)} was requested"
            return Wish(reason=reason, initiated_ms=pending.initiated_ms)
        case Step.GIVE_UP:
            error = (
                f"The processes were started again and still run {_named(running)}. "
                "Put the new images in place, then ask for the upgrade again."
            )
            wishes.upgrade_failed(running=running, target=pending.target, error=error)
            _log.error("the upgrade came to nothing: %s", error, extra={"action": "upgrade"})
        case Step.NOTHING:
            pass
    return None


def _named(versions: Versions) -> str:
    return f"runtime {versions.runtime} and OpenClaw {versions.openclaw}"
