"""What the store knows of single deliveries, for people who ask."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.forms import entry_of_facts, instant, pairs, record_of_facts
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.delivery import NotClaimed, State
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import AgentId, DeliveryId
from dispatcher.domain.journal import Journal, load
from dispatcher.domain.story import Record, event_of

MOST: Final = 100
"""So many deliveries are told of at once."""

_Why = tuple[NotClaimed, str, int, bytes | None, bytes | None]


class RedisRecords:
    """See ``dispatcher.ports.Records``."""

    def __init__(self, client: redis.Redis, steps: Steps) -> None:
        self._client = client
        self._steps = steps
        self._prefix = steps.prefix

    def find(
        self, name: str, *, most: int = MOST, agents: Sequence[AgentId] = ()
    ) -> tuple[Record, ...]:
        """See ``Records.find``."""
        with translated_errors():
            # The first name is the one that was asked for, which need not be a delivery.
            names = list(itertools.islice(self._names(name, agents), most + 1))
            reading = self._client.pipeline(transaction=False)
            for one in names:
                reading.hgetall(f"{self._prefix}delivery:{one}")
                reading.lrange(f"{self._prefix}story:{one}", 0, -1)
            answers: Any = reading.execute()
        now, *_ = self._steps.run("stats")
        why = cache(self._why)
        found = (
            self._record(delivery, flat, story, at=instant(now), why=why)
            for delivery, flat, story in zip(names, answers[::2], answers[1::2], strict=True)
        )
        return tuple(itertools.islice((one for one in found if one is not None), most))

    def _names(self, name: str, agents: Sequence[AgentId]) -> Iterable[DeliveryId]:
        """List the deliveries that a name may mean; the open and the dead ones are few."""
        kept: list[Any] = []
        for where in ("open", "dead"):
            found: Any = self._client.zrange(f"{self._prefix}{where}", 0, -1)
            kept += found
        newest: Any = self._client.hmget(f"{self._prefix}row:{name}", "key_user", "newest_id")
        reading = self._client.pipeline(transaction=False)
        for conversation in (name, *(f"{agent}:{name}" for agent in agents)):
            reading.zrange(f"{self._prefix}mail:{conversation}", 0, -1)
        mail: list[Any] = [one for found in reading.execute() for one in found]
        kept += [one for one in newest if one] + [one.split(b"|", 1)[1] for one in mail]
        in_mailbox = {one.split(b"|", 1)[1].decode() for one in mail}
        names = dict.fromkeys([name, *(one.decode() for one in kept)])
        for one in names:
            parts = one.split(":")
            if one == name or name in parts or one in in_mailbox:
                yield DeliveryId(one)

    def _why(self, conversation: str) -> _Why:
        """Tell of a mailbox why it is not claimed, what it works on, its worker and since when."""
        reason, head, count = self._steps.run("reason", conversation)
        with translated_errors():
            claim: Any = self._client.hmget(
                f"{self._prefix}mailbox:{conversation}", "worker", "claimed_at"
            )
        worker, claimed_at = claim
        return NotClaimed(reason.decode()), head.decode(), int(count), worker, claimed_at

    def _record(
        self,
        delivery: DeliveryId,
        flat: Mapping[bytes, bytes],
        story: Sequence[bytes],
        *,
        at: datetime,
        why: Callable[[str], _Why],
    ) -> Record | None:
        facts = pairs(part for pair in flat.items() for part in pair)
        events = tuple(event_of(text.decode()) for text in story)
        if not facts:
            return Record(delivery=delivery, at=at, events=events) if events else None
        reason, head, count, worker, claimed_at = why(entry_of_facts(facts).conversation)
        is_claimed = facts["state"] == State.CLAIMED
        return record_of_facts(
            delivery,
            facts,
            at=at,
            worker=worker.decode() if is_claimed and worker else "",
            claimed_at=instant(claimed_at) if is_claimed and claimed_at else None,
            reason=reason,
            head=DeliveryId(head) or None,
            in_mailbox=count,
            journal=_journal(facts.get("journal", "")),
            events=events,
        )


def _journal(text: str) -> Journal | None:
    try:
        return load(text)
    except JournalUnreadable:
        return None
