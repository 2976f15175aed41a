"""What an operator does to the store: dead letters, pauses."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.forms import entry_of_facts, instant, milliseconds
from dispatcher.adapters.redis.mailboxes import TOMBSTONE
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.dead_letter import DeadLetter, journal_to_revive
from dispatcher.domain.ids import DeliveryId
from dispatcher.domain.journal import dump

_AT_ONCE: Final = 100
_FACTS: Final = (
    "state", "notification", "message", "agent", "task", "kind", "created_at", "creation_time",
    "carried", "cause", "attempts", "put_at", "died_at",
)  # fmt: skip
"""All but the journal, which may be large."""

_log = logging.getLogger(__name__)


class RedisControls:
    """See ``dispatcher.ports.Controls``."""

    def __init__(self, client: redis.Redis, steps: Steps) -> None:
        self._client = client
        self._steps = steps
        self._prefix = steps.prefix

    def pause(self, what: str) -> bool:
        """See ``Controls.pause``."""
        return bool(self._steps.run("pause", what, 1))

    def resume(self, what: str) -> bool:
        """See ``Controls.resume``."""
        return bool(self._steps.run("pause", what, 0))

    def dead_letters(self) -> Iterator[DeadLetter]:
        """See ``Controls.dead_letters``."""
        with translated_errors():
            found: Any = self._client.zrevrange(f"{self._prefix}dead", 0, -1)
        for at in range(0, len(found), _AT_ONCE):
            yield from self._read(found[at : at + _AT_ONCE], _FACTS)

    def dead_letter(self, delivery: DeliveryId) -> DeadLetter | None:
        """See ``Controls.dead_letter``."""
        return next(self._read([delivery.encode()], (*_FACTS, "journal")), None)

    def revive(self, delivery: DeliveryId, *, fresh: bool = False) -> bool:
        """See ``Controls.revive``."""
        letter = self.dead_letter(delivery)
        if letter is None:
            return False
        journal = None if fresh else journal_to_revive(letter.journal_text)
        text = "" if journal is None else dump(journal)
        is_paid = journal is not None and journal.needs_no_agent
        return bool(self._steps.run("revive", delivery, text, int(is_paid)))

    def discard(self, delivery: DeliveryId) -> bool:
        """See ``Controls.discard``."""
        return bool(self._steps.run("discard", delivery, milliseconds(TOMBSTONE)))

    def _read(self, names: list[bytes], fields: Sequence[str]) -> Iterator[DeadLetter]:
        with translated_errors():
            reading = self._client.pipeline(transaction=False)
            for name in names:
                reading.hmget(f"{self._prefix}delivery:{name.decode()}", list(fields))
            answers: Any = reading.execute(raise_on_error=False)
        for name, values in zip(names, answers, strict=True):
            if isinstance(values, redis.ResponseError):
                # A key of a wrong type, which no step of ours has written.
                _log.warning("the dead letter %s cannot be read: %s", name.decode(), values)
                continue
            facts = {
                field: value.decode()
                for field, value in zip(fields, values, strict=True)
                if value is not None
            }
            if facts.get("state") == "dead":
                yield DeadLetter(
                    delivery=DeliveryId(name.decode()),
                    entry=entry_of_facts(facts),
                    cause=facts.get("cause", "unknown"),
                    attempts=int(facts.get("attempts", 0)),
                    put_at=instant(facts["put_at"]),
                    died_at=instant(facts["died_at"]),
                    journal_text=facts.get("journal", ""),
                )
