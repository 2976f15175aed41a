"""What the store knows of single deliveries, for people who ask."""

from collections.abc import Iterable
from typing import Any

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.forms import entry_of_facts, instant, pairs, record_of_facts
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.delivery import NotClaimed, State
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import DeliveryId
from dispatcher.domain.journal import Journal, load
from dispatcher.domain.story import Record, event_of


class RedisRecords:
    """See ``dispatcher.ports.Records``."""

    def __init__(self, client: redis.Redis, steps: Steps) -> None:
        self._client = client
        self._steps = steps
        self._prefix = steps.prefix

    def find(self, name: str) -> tuple[Record, ...]:
        """See ``Records.find``."""
        with translated_errors():
            found = [self._read(delivery) for delivery in self._names(name)]
        return tuple(record for record in found if record is not None)

    def _names(self, name: str) -> Iterable[DeliveryId]:
        """List the deliveries that a name may mean; the open and the dead ones are few."""
        kept: list[Any] = []
        for where in ("open", "dead"):
            found: Any = self._client.zrange(f"{self._prefix}{where}", 0, -1)
            kept += found
        newest: Any = self._client.hmget(f"{self._prefix}row:{name}", "key_user", "newest_id")
        mail: Any = self._client.zrange(f"{self._prefix}mail:{name}", 0, -1)
        kept += [one for one in newest if one] + [one.split(b"|", 1)[1] for one in mail]
        in_mailbox = {one.split(b"|", 1)[1].decode() for one in mail}
        names = dict.fromkeys([name, *(one.decode() for one in kept)])
        for one in names:
            parts = one.split(":")
            if one == name or name in parts or one in in_mailbox:
                yield DeliveryId(one)

    def _read(self, delivery: DeliveryId) -> Record | None:
        flat: Any = self._client.hgetall(f"{self._prefix}delivery:{delivery}")
        facts = pairs(part for pair in flat.items() for part in pair)
        story: Any = self._client.lrange(f"{self._prefix}story:{delivery}", 0, -1)
        events = tuple(event_of(text.decode()) for text in story)
        now, *_ = self._steps.run("stats")
        if not facts:
            return Record(delivery=delivery, at=instant(now), events=events) if events else None
        entry = entry_of_facts(facts)
        claim: Any = self._client.hmget(
            f"{self._prefix}mailbox:{entry.conversation}", "worker", "claimed_at"
        )
        reason, head, count = self._steps.run("reason", entry.conversation)
        is_claimed = facts["state"] == State.CLAIMED
        return record_of_facts(
            delivery,
            facts,
            at=instant(now),
            worker=claim[0].decode() if is_claimed and claim[0] else "",
            claimed_at=instant(claim[1]) if is_claimed and claim[1] else None,
            reason=NotClaimed(reason.decode()),
            head=DeliveryId(head.decode()) or None,
            in_mailbox=int(count),
            journal=_journal(facts.get("journal", "")),
            events=events,
        )


def _journal(text: str) -> Journal | None:
    try:
        return load(text)
    except JournalUnreadable:
        return None
