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


class Step(StrEnum):
    """Nothing; end, so that our supervisor starts what is new; or say that it came to nothing."""

    NOTHING = "nothing"
    LEAVE = "leave"
    GIVE_UP = "give_up"


def decide(pending: Upgrade | None, *, running: Versions, tried_ms: int | None) -> Step:
    """Decide on a request.

    Args:
        pending: The request, if there is one.
        running: What runs now.
        tried_ms: The request for which we have ended before, if any: whoever starts the old versions
            again would otherwise end again and again.
    """
    if pending is None or pending.strategy != "immediate" or pending.target == running:
        # The backend sees for itself when the versions are reached.
        return Step.NOTHING
    return Step.GIVE_UP if tried_ms == pending.initiated_ms else Step.LEAVE
