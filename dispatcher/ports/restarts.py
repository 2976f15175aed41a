"""Restarts and upgrades: who asks for them, and how all processes hear of it."""

from typing import Protocol

from dispatcher.domain.upgrade import Tried, Upgrade, Versions


class Wishes(Protocol):
    """What people ask of the runtime at the backend; may raise any ``BackendError``."""

    def take_restart_request(self) -> bool:
        """Ask whether a restart was requested; the same call clears the request."""
        ...

    def pending_upgrade(self) -> Upgrade | None:
        """Return the requested upgrade; reading clears nothing."""
        ...

    def upgrade_failed(self, *, running: Versions, target: Versions, error: str) -> None:
        """Record that an upgrade came to nothing. Each call appends: do not repeat it blindly."""
        ...


class Restarts(Protocol):
    """How the processes of an account hear that they are to end; may raise ``StoreUnavailable``."""

    def call(self, text: str, *, initiated_ms: int | None) -> None:
        """Tell all processes to end; their supervisors start them again. Repeatable.

        Args:
            text: A new text is a new call; it ends with the reason.
            initiated_ms: The upgrade for which they end, if any; remembered in the same step.
        """
        ...

    def last_call(self) -> str:
        """Return the last call, empty when there was none."""
        ...

    def tried(self) -> Tried | None:
        """Return the upgrade for which the processes were called last."""
        ...
