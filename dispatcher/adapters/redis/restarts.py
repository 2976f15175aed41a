"""Restart calls in Redis: one text that all processes watch."""

import secrets
from datetime import timedelta
from typing import Final

import redis

from dispatcher.adapters.redis.connection import translated_errors

_REMEMBERED: Final = timedelta(days=1)


class RedisRestarts:
    """See ``dispatcher.ports.Restarts``."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def call(self, reason: str) -> None:
        """See ``Restarts.call``; who starts only after a day has nothing to do with it any more."""
        text = f"{secrets.token_hex(8)} {reason}"
        with translated_errors():
            self._client.set(f"{self._prefix}restart", text, px=_REMEMBERED)

    def last_call(self) -> str:
        """See ``Restarts.last_call``."""
        with translated_errors():
            found = self._client.get(f"{self._prefix}restart")
        return found.decode() if isinstance(found, bytes) else ""

    def note_tried(self, initiated_ms: int) -> None:
        """See ``Restarts.note_tried``."""
        with translated_errors():
            self._client.set(f"{self._prefix}upgrade_tried", initiated_ms, px=_REMEMBERED)

    def tried(self) -> int | None:
        """See ``Restarts.tried``."""
        with translated_errors():
            found = self._client.get(f"{self._prefix}upgrade_tried")
        return int(found) if isinstance(found, bytes) and found.isdigit() else None
