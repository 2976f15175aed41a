"""A real store with a crew of three and mail in every state, as operators find it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import redis

from dispatcher.adapters.redis.controls import RedisControls
from dispatcher.adapters.redis.leader import RedisLead
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.adapters.redis.pulses import RedisPulses
from dispatcher.adapters.redis.records import RedisRecords
from dispatcher.adapters.redis.roster import RedisRoster
from dispatcher.adapters.redis.survey import RedisSurvey
from dispatcher.domain.delivery import Claim, Dead, Entry, Outcome, Resting, Settled, Spent
from dispatcher.domain.ids import (
    AccountId,
    AgentId,
    ConversationId,
    DeliveryId,
    MessageId,
    NotificationId,
    SessionKey,
    TaskId,
    encode_document_id,
)
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Agent, Flags, Kind
from dispatcher.domain.reply import Reply, Usage
from dispatcher.domain.roster import Member, Roster
from dispatcher.domain.standing import Problem, Report

ACCOUNT = AccountId("acc")
SLUGS = ("engineer", "writer", "squad-lead")
LONG = Resting(delay=timedelta(hours=1), cause="ask_failed", spends=Spent.ATTEMPT)
REFUSED = Dead(cause="ask_refused")
ANSWERED = Settled(outcome="answered")


def document_id(table: int, number: int) -> str:
    """An id in the backend's form."""
    return encode_document_id(table, number.to_bytes(16, "big"))


AGENTS = {slug: AgentId(document_id(1, at)) for at, slug in enumerate(SLUGS, start=1)}


@dataclass
class House:
    """One account's store, seen by workers and operators."""

    client: redis.Redis
    store: RedisMailboxes
    controls: RedisControls
    records: RedisRecords
    survey: RedisSurvey
    roster: RedisRoster
    pulses: RedisPulses

    def __post_init__(self) -> None:
        self._numbers = count(1)

    def entry(self, slug: str = "engineer", *, task: str | None = None, kind: Kind = Kind.MENTION,
              age_s: float = 5) -> Entry:  # fmt: skip
        """A row for an agent, made some seconds ago; a task of its own unless one is named."""
        number = next(self._numbers)
        now = self.store.stats().at - timedelta(seconds=age_s)
        return Entry(
            notification=NotificationId(document_id(2, number)),
            message=MessageId(document_id(3, number)),
            agent=AGENTS[slug],
            task=TaskId(task or document_id(4, number)),
            kind=kind,
            created_at_ms=round(now.timestamp() * 1000),
            creation_time_ms=now.timestamp() * 1000,
        )

    def put(self, slug: str = "engineer", **facts: Any) -> Entry:
        entry = self.entry(slug, **facts)
        self.store.put([entry])
        return entry

    def claim(self, entry: Entry) -> Claim:
        """Claim the mailbox of an entry, which must be the first in line."""
        found = self.store.claim(entry.conversation)
        assert isinstance(found, Claim), found
        assert found.conversation == entry.conversation
        return found

    def run(self, slug: str = "engineer", **facts: Any) -> Claim:
        return self.claim(self.put(slug, **facts))

    def end(self, outcome: Outcome, slug: str = "engineer", **facts: Any) -> Entry:
        """Let an attempt end with an outcome."""
        claim = self.run(slug, **facts)
        self.store.settle(claim, outcome)
        return claim.entry

    def answer(
        self, claim: Claim, *, text: str = "Done.", tokens: tuple[int, int] = (100, 7)
    ) -> None:
        """Store an answer, and settle."""
        self.store_answer(claim, text=text, tokens=tokens)
        self.store.settle(claim, ANSWERED)

    def store_answer(self, claim: Claim, *, text: str, tokens: tuple[int, int] = (100, 7)) -> None:
        used = Usage(input_tokens=tokens[0], output_tokens=tokens[1])
        self.store.journal(
            claim,
            Journal(stage=Stage.ANSWERED, session_key=SessionKey("s"), asks=1, answers=1,
                    reply=Reply(text=text, usage=used)),
        )  # fmt: skip

    def die(self, slug: str = "engineer", *, answer: str | None = None, outcome: Dead = REFUSED,
            **facts: Any) -> DeliveryId:  # fmt: skip
        """Let a delivery become a dead letter."""
        claim = self.run(slug, **facts)
        if answer is not None:
            self.store_answer(claim, text=answer)
        self.store.settle(claim, outcome)
        return claim.delivery

    def live(self, *problems: Problem) -> None:
        """Let a runtime lead and a worker live."""
        RedisLead(self.store.steps, holder="host:1:ab", lease=timedelta(seconds=10)).take()
        self.pulses.give("host:2", threads=32, version="0.1.0")
        now = self.store.stats().at
        self.pulses.report(Report(at=now, version="0.1.0", problems=problems, polled_at=now))

    def fill(self, *, waiting: int, dead: int) -> None:
        """Write deliveries straight into the store, many at once."""
        for _ in range(dead):
            self.die("writer", age_s=60)
        for start in range(0, waiting, 500):
            self.store.put([self.entry("engineer") for _ in range(min(500, waiting - start))])


def furnish(
    client: redis.Redis, *, cap: int = 2, agent_cap: int = 2, lead_name: str = "Squad Lead"
) -> House:
    """Open a store and let its crew be known."""
    store = RedisMailboxes(client, account=ACCOUNT, lease=timedelta(seconds=30), worker="host:2")
    store.open()
    store.set_limits(cap=cap, agent_cap=agent_cap)
    house = House(
        client=client,
        store=store,
        controls=RedisControls(client, store.steps),
        records=RedisRecords(client, store.steps),
        survey=RedisSurvey(store.steps),
        roster=RedisRoster(client, store.steps),
        pulses=RedisPulses(client, store.steps),
    )
    names = {"engineer": "Engineer", "writer": "Writer", "squad-lead": lead_name}
    members = tuple(
        Member(
            agent=Agent(agent_id=AGENTS[slug], name=names[slug], slug=slug, role=""),
            flags=Flags(),
            session_key=SessionKey(f"system:agent:{slug}:v1"),
            heartbeat=timedelta(minutes=15),
        )
        for slug in SLUGS
    )
    house.roster.write(
        Roster(members=members, orchestrator=AGENTS["squad-lead"],
               heard_at=datetime(2026, 11, 25, tzinfo=UTC)),
        term=0,
    )  # fmt: skip
    return house


@dataclass(frozen=True)
class Five:
    """The five states that people ask about, one delivery each."""

    resting: DeliveryId
    waiting: DeliveryId
    behind: DeliveryId
    dead: DeliveryId
    paused: DeliveryId
    conversations: dict[str, ConversationId]


def five_states(house: House) -> Five:
    """Bring about: one rests, one waits for a slot, one behind another, one dead, one paused."""
    dead = house.die("writer", answer="half an answer")
    resting = house.end(LONG, "writer")
    first = house.run("engineer", task="t-shared")
    second = house.put("engineer", task="t-shared")
    house.run("squad-lead")
    # Both slots are taken now.
    waiting = house.put("squad-lead")
    house.controls.pause(f"agent:{AGENTS['writer']}")
    paused = house.put("writer")
    entries = {"resting": resting, "behind": first, "waiting": waiting, "paused": paused}
    return Five(
        resting=resting.delivery, waiting=waiting.delivery, behind=second.delivery, dead=dead,
        paused=paused.delivery,
        conversations={name: one.conversation for name, one in entries.items()},
    )  # fmt: skip
