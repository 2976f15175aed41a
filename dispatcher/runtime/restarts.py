"""Restarts: the leader follows what people ask for, every process ends when it is called to."""

import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from dispatcher.domain.errors import BackendError, StoreError
from dispatcher.domain.upgrade import Versions
from dispatcher.flows.restart import Wish, follow_wishes
from dispatcher.ports import Clock, Restarts, Wishes
from dispatcher.runtime.leadership import STAND_BY

WATCH: Final = timedelta(seconds=2)
PATIENCE: Final = timedelta(minutes=3)
"""So long after our start whatever else is new may still come up: the gateway, above all."""

_log = logging.getLogger(__name__)


class RestartRequests:
    """Asks the backend now and then, when it may.

    Args:
        wishes: The backend.
        restarts: Calls all processes.
        running: What runs now; None while that is not known.
        may_ask: This runtime leads, and the backend accepts us.
        clock: Says how long this process has run.
        every: How often; None leaves all requests where they are.
    """

    def __init__(
        self,
        wishes: Wishes,
        restarts: Restarts,
        *,
        running: Callable[[], Versions | None],
        may_ask: Callable[[], bool],
        clock: Clock,
        every: timedelta | None,
    ) -> None:
        self._wishes = wishes
        self._restarts = restarts
        self._running = running
        self._may_ask = may_ask
        self._clock = clock
        self._every = every
        self._old_at = clock.monotonic() + PATIENCE.total_seconds()
        self._began_under: str | None = None
        self._held: tuple[str, Wish] | None = None
        if every is None:
            _log.info(
                "UPGRADE_MODE is not exit: restart and upgrade requests are left at the backend",
                extra={"action": "upgrade"},
            )

    def round(self) -> timedelta:
        """Ask once; what was asked for is passed on until that succeeds, whoever leads by then."""
        if self._every is None:
            return PATIENCE
        if self._began_under is None:
            self._began_under = self._restarts.last_call()
        if self._held is None and self._may_ask():
            self._held = self._ask(self._began_under)
        elif self._held is None:
            return STAND_BY
        if self._held is not None:
            text, wish = self._held
            self._restarts.call(text, initiated_ms=wish.initiated_ms)
            self._held = None
        return self._every

    def _ask(self, began_under: str) -> tuple[str, Wish] | None:
        try:
            wish = follow_wishes(
                wishes=self._wishes,
                restarts=self._restarts,
                running=self._running(),
                began_under=began_under,
                is_old=self._clock.monotonic() >= self._old_at,
            )
        except BackendError as error:
            _log.info("requests cannot be read now: %s", error, extra={"action": "upgrade"})
            return None
        # One text for one wish: a call that has to be repeated must not be another one.
        return (f"{secrets.token_hex(8)} {wish.reason}", wish) if wish else None


class RestartWatch:
    """Notices a call, once; in every process of the account.

    Args:
        restarts: Where calls are heard.
        on_call: Ends this process in good order.
    """

    def __init__(self, restarts: Restarts, on_call: Callable[[], None]) -> None:
        self._restarts = restarts
        self._on_call = on_call
        self._known: str | None = None
        self._is_called = False

    def round(self) -> timedelta:
        """Look once; what was called before this process began is not meant for it."""
        if self._is_called:
            # A second signal would cut off what is being finished.
            return WATCH
        call = self._restarts.last_call()
        if self._known is not None and call not in {"", self._known}:
            self._is_called = True
            _log.warning(
                "this process ends, to be started again: %s",
                call.partition(" ")[2],
                extra={"action": "restart"},
            )
            self._on_call()
        self._known = call or self._known or ""
        return WATCH

    def look(self) -> None:
        """Look once, and let a Redis that is away be."""
        try:
            self.round()
        except StoreError as error:
            _log.debug("restarts cannot be heard now: %s", error, extra={"action": "restart"})
