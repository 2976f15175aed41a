"""Follow what people ask for: restart, or make way for another version."""

import logging

from dispatcher.domain.upgrade import Step, Versions, decide
from dispatcher.ports import Restarts, Wishes

_log = logging.getLogger(__name__)


def follow_wishes(*, wishes: Wishes, restarts: Restarts, running: Versions) -> str | None:
    """Look once what was asked for.

    Args:
        wishes: The backend.
        restarts: Remembers which upgrade was tried.
        running: What runs now.

    Returns:
        Why all processes are to end, or None. The caller calls them, until that succeeds: a restart
        request is gone from the backend once it was read.

    Raises:
        BackendError: Nothing was read, or nobody knows; asked again later.
        StoreError: The same.
    """
    if wishes.take_restart_request():
        return "a restart was requested"
    pending, tried_ms = wishes.pending_upgrade(), restarts.tried()
    match decide(pending, running=running, tried_ms=tried_ms):
        case Step.LEAVE if pending is not None:
            restarts.note_tried(pending.initiated_ms)
            return f"an upgrade to {_named(pending.target)} was requested"
        case Step.GIVE_UP if pending is not None:
            error = (
                f"The processes were started again and still run {_named(running)}. "
                "Put the new images in place, then ask for the upgrade again."
            )
            wishes.upgrade_failed(running=running, target=pending.target, error=error)
            _log.error(
                "the upgrade to %s came to nothing: %s still runs after a restart; it is recorded "
                "as failed",
                _named(pending.target),
                _named(running),
                extra={"action": "upgrade"},
            )
        case _:
            pass
    return None


def _named(versions: Versions) -> str:
    return f"runtime {versions.runtime} and OpenClaw {versions.openclaw}"
