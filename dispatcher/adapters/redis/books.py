"""The store's books, for the audit and for making room in a full list."""

import json
from collections.abc import Sequence
from typing import Any, Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.forms import entry_form, entry_of_facts, entry_of_form, pairs
from dispatcher.adapters.redis.mailboxes import refuse_the_past
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.delivery import Entry
from dispatcher.domain.ids import NotificationId
from dispatcher.ports import Audit, Holding

_LOOKED_AT: Final = 2_000


class RedisBooks:
    """See ``dispatcher.ports.Books``."""

    def __init__(self, client: redis.Redis, steps: Steps) -> None:
        self._client = client
        self._steps = steps
        self._notes = f"{steps.prefix}marking"

    def audit(self, entries: Sequence[Entry], *, term: int = 0) -> Audit:
        """See ``Books.audit``."""
        rows = [
            {"n": entry.notification, "d": entry.delivery, "at": str(entry.created_at_ms)}
            for entry in entries
        ]
        righted, *rest = self._steps.run("audit", json.dumps(rows), _LOOKED_AT, term)
        refuse_the_past(righted)
        spoiled, *holdings = rest
        return Audit(
            righted=int(righted),
            spoiled=int(spoiled),
            holdings=tuple(Holding(one.decode()) for one in holdings),
        )

    def begin_mark(self, entry: Entry) -> bool:
        """See ``Books.begin_mark``."""
        note = json.dumps(entry_form(entry))
        return bool(
            self._steps.run(
                "begin_mark", entry.notification, note, entry.created_at_ms, entry.delivery
            )
        )

    def end_mark(self, notification: NotificationId) -> None:
        """See ``Books.end_mark``."""
        with translated_errors():
            self._client.hdel(self._notes, notification)

    def begun_marks(self) -> tuple[Entry, ...]:
        """See ``Books.begun_marks``."""
        with translated_errors():
            found: Any = self._client.hvals(self._notes)
        return tuple(entry_of_form(json.loads(note)) for note in found)

    def stalled(self, *, most: int) -> tuple[Entry, ...]:
        """See ``Books.stalled``."""
        found = self._steps.run("stalled", _LOOKED_AT, most)
        return tuple(entry_of_facts(pairs(facts)) for facts in found)
