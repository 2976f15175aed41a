"""Restart calls in Redis: one text that all processes watch."""

from datetime import timedelta
from typing import Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.domain.upgrade import Tried

_REMEMBERED: Final = timedelta(days=1)


class RedisRestarts:
    """See ``dispatcher.ports.Restarts``."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def call(self, text: str, *, initiated_ms: int | None) -> None:
        """See ``Restarts.call``; who starts only after a day has nothing to do with it any more."""
        with translated_errors(), self._client.pipeline(transaction=True) as both:
            if initiated_ms is not None:
                tried = f"{initiated_ms} {text}"
                both.set(f"{self._prefix}upgrade_tried", tried, px=_REMEMBERED)
            both.set(f"{self._prefix}restart", text, px=_REMEMBERED)
            both.execute()

    def last_call(self) -> str:
        """See ``Restarts.last_call``."""
        return self._text("restart")

    def tried(self) -> Tried | None:
        """See ``Restarts.tried``."""
        number, _, call = self._text("upgrade_tried").partition(" ")
        return Tried(initiated_ms=int(number), call=call) if number.isdigit() else None

    def _text(self, name: str) -> str:
        with translated_errors():
            found = self._client.get(f"{self._prefix}{name}")
        return found.decode(errors="replace") if isinstance(found, bytes) else ""
