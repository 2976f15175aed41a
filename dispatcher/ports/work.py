"""What a worker holds: claims that are kept alive, and places for suspects."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from dispatcher.domain.delivery import Claim


class Hold(Protocol):
    """A claim that is kept alive while its turn runs."""

    def check(self) -> None:
        """Make sure, before an effect outside, that the claim is still ours.

        Raises:
            LeaseLost: It is lost, or was not confirmed for so long that it may be.
        """
        ...

    def on_loss(self, cancel: Callable[[], None]) -> AbstractContextManager[None]:
        """Call ``cancel`` from another thread should the claim be lost inside the block."""
        ...


class Holds(Protocol):
    """Keeps the claims of this process alive."""

    def hold(self, claim: Claim, *, since: float) -> AbstractContextManager[Hold]:
        """Renew the claim's lease until the block ends.

        Args:
            claim: Just claimed.
            since: When the claim was asked for, by the monotonic clock: its lease may run since.
        """
        ...


class Quarantine(Protocol):
    """Runs a claimed delivery in a process of its own, because its workers died again and again."""

    def run(self, claim: Claim, *, hold: Hold) -> "Isolation":
        """Run the delivery and wait for the end of its process.

        Args:
            claim: Renewed by the caller all the time.
            hold: When it is lost, the process is ended.

        Returns:
            What became of the process; never waits for a place.
        """
        ...


class Isolation(StrEnum):
    """What became of the process of a quarantined delivery.

    ``ENDED``: it settled the delivery or lost the claim. ``DIED``: the delivery killed it.
    ``UNDONE``: there was no place, it could not be started, the store was away, or somebody ended it.
    ``FAILED``: it ended by a defect.
    """

    ENDED = "ended"
    DIED = "died"
    UNDONE = "undone"
    FAILED = "failed"
