"""The mailbox store: the port's steps as calls of Lua scripts."""

import json
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.forms import (
    answer_of,
    conversations,
    cost_of,
    creation_text,
    detail_of,
    entry_form,
    growth_of,
    instant,
    milliseconds,
    pairs,
    read_circuit,
    read_claim,
    read_rest,
    settle_form,
)
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.delivery import Claim, Entry, NotClaimed, Outcome, entry_of
from dispatcher.domain.errors import LeadLost, LeaseLost, StoreUnusable
from dispatcher.domain.ids import NOTHING, AccountId, ConversationId
from dispatcher.domain.journal import Journal, Stage, dump
from dispatcher.domain.notification import Notification
from dispatcher.domain.retry import (
    AFTER_A_BREAK,
    AGENT_BLAME,
    FUSE_DEATHS,
    FUSE_WINDOW,
    GATEWAY_BLAME,
    PROBE_AGAIN,
    PROBE_TAKES,
    TRIAL_TAKEN,
)
from dispatcher.domain.world import World
from dispatcher.ports import Done, Put, Stats, Swept

LAYOUT: Final = 2
"""Layout 1 had no circuit, no stories and no line of its own for stored answers."""

TOMBSTONE: Final = timedelta(hours=24)
RING_WAIT: Final = timedelta(seconds=3)
RING_WAIT_MAX: Final = timedelta(seconds=60)
_SWEPT_AT_ONCE: Final = 500
_IS_OVER: Final = 2


class RedisMailboxes:
    """See ``dispatcher.ports.Mailboxes``."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        account: AccountId,
        lease: timedelta,
        worker: str,
        dead_limit: int = 1000,
        caps: tuple[int, int] = (10, 5),
    ) -> None:
        self._client = client
        self.steps = Steps(client, account)
        self._prefix = self.steps.prefix
        self._lease_ms = milliseconds(lease)
        self._worker = worker
        self._dead_limit = dead_limit
        self._caps = caps

    def open(self) -> None:
        """Write or check the layout number; an older layout is taken over as it is.

        Raises:
            StoreUnusable: A newer program has laid out this store.
        """
        with translated_errors():
            found = int(self._client.get(f"{self._prefix}layout") or 0)
            if found < LAYOUT:
                self._client.set(f"{self._prefix}layout", LAYOUT)
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
        page = json.dumps([entry_form(entry) for entry in entries])
        added, *rest = self.steps.run("put", page, milliseconds(TOMBSTONE), term)
        refuse_the_past(added)
        spoiled, *rings = rest
        return Put(added=int(added), spoiled=int(spoiled), to_ring=conversations(rings))

    def claim(self, hint: ConversationId) -> Claim | NotClaimed:
        """See ``Mailboxes.claim``."""
        return self._claim(secrets.token_hex(12), hint)

    def take_over(self, conversation: ConversationId, token: str) -> Claim | NotClaimed:
        """Get the claim that a token holds on a conversation, for another process of the holder."""
        return self._claim(token, conversation, only_held=True)

    def _claim(
        self, token: str, hint: ConversationId, *, only_held: bool = False
    ) -> Claim | NotClaimed:
        found, *rest = self.steps.run(
            "claim", hint, token, self._lease_ms, self._worker, int(only_held), *self._caps
        )
        if found != b"claimed":
            return NotClaimed(found.decode())
        return read_claim(rest, token=token)

    def renew(self, claims: Sequence[Claim], *, ceiling: timedelta) -> tuple[bool, ...]:
        """Renew the leases of claims; say for each whether it is still ours.

        Args:
            claims: All that this process holds.
            ceiling: A claim older than this is not renewed: its turn has gone wrong.
        """
        both = [part for claim in claims for part in (claim.conversation, claim.token)]
        kept = self.steps.run("renew", self._lease_ms, milliseconds(ceiling), *both)
        return tuple(bool(one) for one in kept)

    def journal(
        self,
        claim: Claim,
        journal: Journal,
        *,
        uses_row_key: bool = False,
        brings_answer: bool = False,
    ) -> int:
        """See ``Mailboxes.journal``."""
        is_answer = brings_answer or journal.stage is Stage.ANSWERED
        written, *newest = self.steps.run(
            "journal",
            claim.conversation,
            claim.token,
            dump(journal),
            int(uses_row_key),
            journal.stage.value,
            detail_of(journal),
            int(journal.needs_no_agent),
            answer_of(journal.reply) if is_answer and journal.reply else "",
            journal.shown_ms if journal.stage is Stage.MARKING else 0,
            milliseconds(TOMBSTONE),
            *(cost_of(journal) if is_answer else (0, 0)),
            # All who write under one claim are processes of one machine, with one such clock.
            time.monotonic_ns() // 1_000,
        )
        if not written:
            raise LeaseLost("the claim was lost before the journal was written")
        return int(newest[0])

    def read_journal(self, claim: Claim) -> str:
        """See ``Mailboxes.read_journal``."""
        with translated_errors():
            found = self._client.hget(f"{self._prefix}delivery:{claim.delivery}", "journal")
        return found.decode() if isinstance(found, bytes) else ""

    def rebind(self, claim: Claim, notification: Notification) -> Claim | None:
        """See ``Mailboxes.rebind``."""
        entry = entry_of(notification, is_carried=True)
        done = self.steps.run(
            "rebind",
            claim.conversation,
            claim.token,
            entry.delivery,
            entry.message or NOTHING,
            entry.created_at_ms,
            creation_text(entry),
        )
        if not done:
            raise LeaseLost("the claim was lost before the newer message was bound")
        if int(done) == _IS_OVER:
            return None
        return claim.evolve(delivery=entry.delivery, entry=entry)

    def may_die(self, claim: Claim, cause: str) -> bool:
        """See ``Mailboxes.may_die``."""
        answer = self.steps.run(
            "fuse", claim.conversation, claim.token, cause, milliseconds(FUSE_WINDOW), FUSE_DEATHS,
            *growth_of(GATEWAY_BLAME), *growth_of(AGENT_BLAME),
        )  # fmt: skip
        if not answer:
            raise LeaseLost("the claim was lost before the delivery died")
        return int(answer) == 1

    def settle(self, claim: Claim, outcome: Outcome, *, goes_on: bool = False) -> Done:
        """See ``Mailboxes.settle``."""
        how = settle_form(outcome, tombstone=TOMBSTONE, dead_limit=self._dead_limit)
        token = secrets.token_hex(12) if goes_on else ""
        done, *rest = self.steps.run(
            "settle", claim.conversation, claim.token, *how, token, self._lease_ms, self._worker,
            *self._caps,
        )  # fmt: skip
        if not done:
            raise LeaseLost("the claim was lost before its outcome was settled")
        dropped, found, *facts = rest
        if found == b"claimed":
            # One that cannot be read is nobody's failure here: its lease runs out.
            with suppress(KeyError, ValueError, TypeError):
                return Done(next_claim=read_claim(facts, token=token), dropped=int(dropped))
            return Done(dropped=int(dropped))
        return Done(to_ring=conversations(name for name in facts if name), dropped=int(dropped))

    def sweep(self, *, term: int = 0, unswept: timedelta = timedelta(0)) -> Swept:
        """See ``Mailboxes.sweep``."""
        expired, *counts = self.steps.run(
            "sweep", milliseconds(RING_WAIT), milliseconds(RING_WAIT_MAX), _SWEPT_AT_ONCE, term,
            milliseconds(unswept), milliseconds(TRIAL_TAKEN),
        )  # fmt: skip
        refuse_the_past(expired)
        rested, spoiled, *rings = counts
        return Swept(
            expired=int(expired),
            rested=int(rested),
            spoiled=int(spoiled),
            to_ring=conversations(rings),
        )

    def stats(self) -> Stats:
        """See ``Mailboxes.stats``."""
        now, opened, claims, resting, dead, paid, marking, *lines = self.steps.run("stats")
        return Stats(
            at=instant(now),
            open=int(opened),
            claims=int(claims),
            resting=int(resting),
            dead=int(dead),
            paid=int(paid),
            marking=int(marking),
            waiting=tuple(int(count) for count in lines[::2]),
            oldest=tuple(instant(since) if float(since) else None for since in lines[1::2]),
        )

    def world(self) -> World:
        """See ``Mailboxes.world``."""
        now, stop, circuit, rests, paused = self.steps.run("world")
        return World(
            at=instant(now),
            circuit=read_circuit(pairs(circuit)),
            stop=stop.decode() or None,
            rests=tuple(read_rest(rests[at : at + 4]) for at in range(0, len(rests), 4)),
            paused=tuple((what, instant(since)) for what, since in pairs(paused).items()),
        )

    def begin_probe(self) -> bool:
        """See ``Mailboxes.begin_probe``."""
        return bool(self.steps.run("begin_probe", milliseconds(PROBE_TAKES)))

    def admit(self, *, is_well: bool) -> tuple[ConversationId, ...]:
        """See ``Mailboxes.admit``."""
        after = milliseconds(AFTER_A_BREAK)
        _, *rings = self.steps.run("admit", int(is_well), milliseconds(PROBE_AGAIN), after)
        return conversations(rings)

    def stop_backend(self, reason: str | None) -> None:
        """See ``Mailboxes.stop_backend``."""
        key = f"{self._prefix}stop"
        with translated_errors():
            if reason is None:
                self._client.delete(key)
            else:
                self._client.set(key, reason, px=90_000)

    def ping(self) -> None:
        """Ask Redis for a sign of life.

        Raises:
            StoreUnavailable: None came.
        """
        with translated_errors():
            self._client.ping()


def refuse_the_past(answer: int) -> None:
    """Raise when a step said that another runtime leads.

    Raises:
        LeadLost: It did.
    """
    if answer < 0:
        raise LeadLost("this runtime does not lead any more")
