"""What to do about an upgrade that somebody asked for."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What runs, or is to run."""

    openclaw: str
    runtime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """A request that waits at the backend.

    Attributes:
        initiated_ms: When it was made; the name under which we remember what we tried.
        strategy: Only ``immediate`` concerns us.
    """

    target: Versions
    initiated_ms: int
    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An upgrade for which all processes were called to end."""

    initiated_ms: int
    call: str


class Step(StrEnum):
    """Nothing; end, so that our supervisor starts what is new; or say that it came to nothing."""

    NOTHING = "nothing"
    LEAVE = "leave"
    GIVE_UP = "give_up"


def decide(
    pending: Upgrade | None,
    *,
    running: Versions,
    tried: Tried | None,
    began_under: str,
    is_old: bool,
) -> Step:
    """Decide on a request.

    Args:
        pending: The request, if there is one.
        running: What runs now.
        tried: What was tried last: whoever starts the old versions again would otherwise end again
            and again.
        began_under: The last call when this process began. Only a process that was started by the
            call for this upgrade can say that it came to nothing.
        is_old: This process has run for so long that whatever else is new would be here by now.
    """
    if pending is None or pending.strategy != "immediate" or pending.target == running:
        # The backend sees for itself when the versions are reached.
        return Step.NOTHING
    if tried is None or tried.initiated_ms != pending.initiated_ms:
        return Step.LEAVE
    return Step.GIVE_UP if is_old and tried.call == began_under else Step.NOTHING
