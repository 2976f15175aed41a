"""The mailbox store: the port's steps as calls of Lua scripts."""

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.delivery import (
    Claim,
    Dead,
    Entry,
    NotClaimed,
    Outcome,
    Resting,
    Settled,
    entry_of,
    line_class,
)
from dispatcher.domain.errors import LeadLost, LeaseLost, StoreUnusable
from dispatcher.domain.ids import (
    NOTHING,
    AccountId,
    AgentId,
    ConversationId,
    DeliveryId,
    MessageId,
    NotificationId,
    TaskId,
)
from dispatcher.domain.journal import Journal, dump
from dispatcher.domain.notification import Kind, Notification
from dispatcher.ports import Put, Stats, Swept

LAYOUT: Final = 1
TOMBSTONE: Final = timedelta(hours=24)
RING_WAIT: Final = timedelta(seconds=3)
RING_WAIT_MAX: Final = timedelta(seconds=60)
_SWEPT_AT_ONCE: Final = 500


class RedisMailboxes:
    """See ``dispatcher.ports.Mailboxes``."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        account: AccountId,
        lease: timedelta,
        worker: str,
    ) -> None:
        self._client = client
        self.steps = Steps(client, account)
        self._prefix = self.steps.prefix
        self._lease_ms = _ms(lease)
        self._worker = worker

    def open(self) -> None:
        """Write or check the layout number.

        Raises:
            StoreUnusable: A newer program has laid out this store.
        """
        with translated_errors():
            self._client.set(f"{self._prefix}layout", LAYOUT, nx=True)
            found = int(self._client.get(f"{self._prefix}layout") or LAYOUT)
        if found > LAYOUT:
            raise StoreUnusable(
                f"The mailboxes have layout {found}, this program knows {LAYOUT}: "
                "a newer dispatcher has used this Redis. Upgrade this one."
            )

    def set_limits(self, *, cap: int, agent_cap: int) -> None:
        """Tell all workers how many turns may run at once, over all and per agent."""
        with translated_errors():
            self._client.hset(f"{self._prefix}limits", mapping={"cap": cap, "agent_cap": agent_cap})

    def put(self, entries: Sequence[Entry], *, term: int = 0) -> Put:
        """See ``Mailboxes.put``."""
        page = json.dumps([_put_form(entry) for entry in entries])
        added, *rings = self.steps.run("put", page, _ms(TOMBSTONE), term)
        _refuse_the_past(added)
        return Put(added=int(added), to_ring=_conversations(rings))

    def claim(self, hint: ConversationId) -> Claim | NotClaimed:
        """See ``Mailboxes.claim``."""
        token = secrets.token_hex(12)
        found, *rest = self.steps.run("claim", hint, token, self._lease_ms, self._worker)
        if found != b"claimed":
            return NotClaimed(found.decode())
        conversation, delivery, now, key_user, *fields = rest
        facts = {
            name.decode(): value.decode()
            for name, value in zip(fields[::2], fields[1::2], strict=True)
        }
        return _read_claim(
            facts,
            conversation=ConversationId(conversation.decode()),
            delivery=DeliveryId(delivery.decode()),
            token=token,
            now=int(now),
            key_user=key_user.decode(),
        )

    def renew(self, claims: Sequence[Claim], *, ceiling: timedelta) -> tuple[bool, ...]:
        """Renew the leases of claims; say for each whether it is still ours.

        Args:
            claims: All that this process holds.
            ceiling: A claim older than this is not renewed: its turn has gone wrong.
        """
        pairs = [part for claim in claims for part in (claim.conversation, claim.token)]
        kept = self.steps.run("renew", self._lease_ms, _ms(ceiling), *pairs)
        return tuple(bool(one) for one in kept)

    def journal(self, claim: Claim, journal: Journal, *, uses_row_key: bool = False) -> int:
        """See ``Mailboxes.journal``."""
        record, flag = dump(journal), "1" if uses_row_key else "0"
        written, *newest = self.steps.run("journal", claim.conversation, claim.token, record, flag)
        if not written:
            raise LeaseLost("the claim was lost before the journal was written")
        return int(newest[0])

    def rebind(self, claim: Claim, notification: Notification) -> Claim:
        """See ``Mailboxes.rebind``."""
        entry = entry_of(notification, is_carried=claim.entry.is_carried)
        done = self.steps.run(
            "rebind",
            claim.conversation,
            claim.token,
            entry.delivery,
            entry.message or NOTHING,
            entry.created_at_ms,
            _creation_text(entry),
        )
        if not done:
            raise LeaseLost("the claim was lost before the newer message was bound")
        return claim.evolve(delivery=entry.delivery, entry=entry)

    def settle(self, claim: Claim, outcome: Outcome) -> tuple[ConversationId, ...]:
        """See ``Mailboxes.settle``."""
        how = _settle_form(outcome)
        done, *rings = self.steps.run(
            "settle", claim.conversation, claim.token, *how, _ms(TOMBSTONE)
        )
        if not done:
            raise LeaseLost("the claim was lost before its outcome was settled")
        return _conversations(rings)

    def sweep(self, *, term: int = 0) -> Swept:
        """See ``Mailboxes.sweep``."""
        expired, *counts = self.steps.run(
            "sweep", _ms(RING_WAIT), _ms(RING_WAIT_MAX), _SWEPT_AT_ONCE, term
        )
        _refuse_the_past(expired)
        rested, *rings = counts
        return Swept(expired=int(expired), rested=int(rested), to_ring=_conversations(rings))

    def stats(self) -> Stats:
        """See ``Mailboxes.stats``."""
        now, opened, claims, resting, dead, *lines = self.steps.run("stats")
        return Stats(
            at=_instant(now),
            open=int(opened),
            claims=int(claims),
            resting=int(resting),
            dead=int(dead),
            waiting=tuple(int(count) for count in lines[::2]),
            oldest=tuple(_instant(since) if float(since) else None for since in lines[1::2]),
        )

    def ping(self) -> None:
        """Ask Redis for a sign of life.

        Raises:
            StoreUnavailable: None came.
        """
        with translated_errors():
            self._client.ping()


def _refuse_the_past(answer: int) -> None:
    if answer < 0:
        raise LeadLost("another runtime leads")


def _put_form(entry: Entry) -> dict[str, Any]:
    return {
        "d": entry.delivery,
        "n": entry.notification,
        "m": entry.message or NOTHING,
        "a": entry.agent,
        "t": entry.task or NOTHING,
        "c": entry.conversation,
        "k": entry.kind.value,
        "l": line_class(entry.kind).value,
        "at": str(entry.created_at_ms),
        "cr": _creation_text(entry),
        "x": int(entry.is_carried),
    }


def _settle_form(outcome: Outcome) -> tuple[str, str, int, str]:
    match outcome:
        case Settled():
            return "settled", outcome.outcome, 0, "nothing"
        case Resting():
            return "resting", outcome.cause, _ms(outcome.delay), outcome.spends.value
        case Dead():
            return "dead", outcome.cause, 0, "nothing"


def _creation_text(entry: Entry) -> str:
    """Write a creation time so that text order is time order."""
    return f"{entry.creation_time_ms:018.4f}"


def _read_claim(
    facts: dict[str, str],
    *,
    conversation: ConversationId,
    delivery: DeliveryId,
    token: str,
    now: int,
    key_user: str,
) -> Claim:
    message, task = facts["message"], facts["task"]
    entry = Entry(
        notification=NotificationId(facts["notification"]),
        message=None if message == NOTHING else MessageId(message),
        agent=AgentId(facts["agent"]),
        task=None if task == NOTHING else TaskId(task),
        kind=Kind(facts["kind"]),
        created_at_ms=int(facts["created_at"]),
        creation_time_ms=float(facts["creation_time"]),
        is_carried=facts["carried"] == "1",
    )
    return Claim(
        conversation=conversation,
        token=token,
        delivery=delivery,
        entry=entry,
        attempts=int(facts.get("attempts", 0)),
        waits=int(facts.get("waits", 0)),
        unanswered=int(facts.get("unanswered", 0)),
        looks=int(facts.get("looks", 0)),
        put_at=_instant(facts["put_at"]),
        claimed_at=_instant(now),
        row_key_user=DeliveryId(key_user) if key_user else None,
        journal_text=facts.get("journal", ""),
    )


def _conversations(names: Iterable[bytes]) -> tuple[ConversationId, ...]:
    return tuple(ConversationId(name.decode()) for name in names)


def _ms(duration: timedelta) -> int:
    return round(duration / timedelta(milliseconds=1))


def _instant(ms: Any) -> datetime:  # noqa: ANN401 - Redis answers numbers in many types
    return datetime.fromtimestamp(float(ms) / 1000, UTC)
