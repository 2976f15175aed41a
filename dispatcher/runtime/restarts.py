"""Restarts: the leader follows what people ask for, every process ends when it is called to."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from dispatcher.domain.errors import BackendError, StoreError
from dispatcher.domain.upgrade import Versions
from dispatcher.flows.restart import follow_wishes
from dispatcher.ports import Restarts, Wishes
from dispatcher.runtime.leadership import STAND_BY

WATCH: Final = timedelta(seconds=2)

_log = logging.getLogger(__name__)


class RestartRequests:
    """Asks the backend now and then.

    Args:
        wishes: The backend.
        restarts: Calls all processes.
        running: What runs now.
        every: How often.
        mode: ``exit`` follows requests; with anything else they are left where they are.
        may_ask: This runtime leads, and the backend accepts us.
    """

    def __init__(
        self,
        wishes: Wishes,
        restarts: Restarts,
        *,
        running: Callable[[], Versions],
        every: timedelta,
        mode: str,
        may_ask: Callable[[], bool],
    ) -> None:
        self._wishes = wishes
        self._restarts = restarts
        self._running = running
        self._every = every
        self._is_on = mode == "exit"
        self._may_ask = may_ask
        self._reason: str | None = None
        if not self._is_on:
            _log.info(
                "UPGRADE_MODE is not exit: restart and upgrade requests are left at the backend",
                extra={"action": "upgrade"},
            )

    def round(self) -> timedelta:
        """Ask once; what was asked for is passed on until that succeeds."""
        if not self._is_on:
            return self._every
        if not self._may_ask():
            return STAND_BY
        try:
            if self._reason is None:
                self._reason = follow_wishes(
                    wishes=self._wishes, restarts=self._restarts, running=self._running()
                )
        except BackendError as error:
            _log.info("requests cannot be read now: %s", error, extra={"action": "upgrade"})
        if self._reason is not None:
            self._restarts.call(self._reason)
            self._reason = None
        return self._every


class RestartWatch:
    """Notices a call; in every process of the account.

    Args:
        restarts: Where calls are heard.
        on_call: Ends this process in good order.
    """

    def __init__(self, restarts: Restarts, on_call: Callable[[], None]) -> None:
        self._restarts = restarts
        self._on_call = on_call
        self._known: str | None = None

    def round(self) -> timedelta:
        """Look once; what was called before this process began is not meant for it."""
        call = self._restarts.last_call()
        if self._known is not None and call not in {"", self._known}:
            _log.warning(
                "this process ends, to be started again: %s",
                call.partition(" ")[2],
                extra={"action": "restart"},
            )
            self._on_call()
        self._known = call
        return WATCH

    def look(self) -> None:
        """Look once, and let a Redis that is away be."""
        try:
            self.round()
        except StoreError as error:
            _log.debug("restarts cannot be heard now: %s", error, extra={"action": "restart"})
