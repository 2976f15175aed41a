"""A real store with its books and controls, and short words for what happens in it."""

from dataclasses import dataclass
from datetime import timedelta

import redis

from dispatcher.adapters.redis.books import RedisBooks
from dispatcher.adapters.redis.controls import RedisControls
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.domain.delivery import (
    Blame,
    Claim,
    Dead,
    Entry,
    NotClaimed,
    Outcome,
    Resting,
    Settled,
    Sign,
    Spent,
)
from dispatcher.domain.ids import (
    AccountId,
    AgentId,
    ConversationId,
    MessageId,
    NotificationId,
    SessionKey,
    TaskId,
)
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Kind
from dispatcher.domain.reply import Reply
from dispatcher.domain.retry import GATEWAY_BLAME
from dispatcher.domain.world import AgentRest, Circuit

PREFIX = "mission-control:{acc}:"
NOBODY = ConversationId("nobody:-")
ANSWERED = Settled(outcome="answered")
GIVEN_BACK = Resting(delay=timedelta(0), cause="draining", spends=Spent.NOTHING)
FAILED = Resting(
    delay=timedelta(0), cause="ask_failed", spends=Spent.ATTEMPT, sign=Sign.ANSWERS
)  # fmt: skip
HOUR_OF_REST = Resting(delay=timedelta(hours=1), cause="ask_failed", spends=Spent.ATTEMPT)
TIMED_OUT = Resting(
    delay=timedelta(0), cause="ask_timed_out", spends=Spent.ATTEMPT, sign=Sign.UNCLEAR
)
REFUSED = Dead(cause="ask_refused", sign=Sign.ANSWERS)
STORED = Journal(
    stage=Stage.ANSWERED, session_key=SessionKey("s"), asks=1, answers=1, reply=Reply(text="done")
)


def entry(n: str, *, m: str | None = "m1", agent: str = "a1", task: str | None = "t1",
          at: int = 1000, kind: Kind = Kind.MENTION, carried: bool = False) -> Entry:  # fmt: skip
    """One listed row; what a test does not name is the same for all."""
    return Entry(
        notification=NotificationId(n),
        message=MessageId(m) if m else None,
        agent=AgentId(agent),
        task=TaskId(task) if task else None,
        kind=kind,
        created_at_ms=at,
        creation_time_ms=at + 0.25,
        is_carried=carried,
    )


def gateway_away(*, wish_s: float = 0) -> Resting:
    """An attempt that met a gateway that takes nothing."""
    blame = Blame(
        party=GATEWAY_BLAME.party,
        wish=timedelta(seconds=wish_s),
        first=GATEWAY_BLAME.first,
        longest=GATEWAY_BLAME.longest,
    )
    return Resting(
        delay=timedelta(0), cause="gateway_unavailable", spends=Spent.WAIT, blame=blame
    )  # fmt: skip


@dataclass
class Room:
    """One account's store, seen by a worker, an auditor and an operator."""

    client: redis.Redis
    store: RedisMailboxes
    books: RedisBooks
    controls: RedisControls

    def put(self, *entries: Entry) -> None:
        self.store.put(entries)

    def claim(self, hint: str = NOBODY) -> Claim:
        """Claim; something must be claimed."""
        claim = self.store.claim(ConversationId(hint))
        assert isinstance(claim, Claim), claim
        return claim

    def refusal(self, hint: str = NOBODY) -> NotClaimed:
        """Try to claim; nothing must be claimed."""
        found = self.store.claim(ConversationId(hint))
        assert isinstance(found, NotClaimed), found
        return found

    def refusal_of(self, conversation: str) -> NotClaimed:
        """Claim all others that can be had, until it is told why this one cannot."""
        while isinstance(found := self.store.claim(ConversationId(conversation)), Claim):
            assert found.conversation != conversation
        return found

    def attempt(self, outcome: Outcome, hint: str = NOBODY) -> Claim:
        """Claim and settle."""
        claim = self.claim(hint)
        self.store.settle(claim, outcome)
        return claim

    def answer(self, claim: Claim) -> None:
        """Store the agent's answer and settle, as a good attempt does."""
        self.store.journal(claim, STORED)
        self.store.settle(claim, ANSWERED)

    def store_answer(self, claim: Claim) -> None:
        """Store the agent's answer, then fail to write it back."""
        self.store.journal(claim, STORED)
        self.store.settle(
            claim, Resting(delay=timedelta(0), cause="backend_unavailable", spends=Spent.WAIT)
        )

    def lose_worker(self, claim: Claim) -> None:
        """Let a claim's lease be over, and the sweeper take it back."""
        self.client.zadd(f"{PREFIX}claims", {claim.conversation: 1})
        assert self.store.sweep().expired == 1

    def end_agent_rest(self, agent: str) -> None:
        """Let the time of an agent's rest be over."""
        self.client.zadd(f"{PREFIX}rests", {agent: 1}, xx=True)

    @property
    def circuit(self) -> Circuit | None:
        return self.store.world().circuit

    def open_circuit(self) -> Circuit:
        """Look at the circuit; it must not be closed."""
        circuit = self.circuit
        assert circuit is not None
        return circuit

    def open_by_hand(self) -> None:
        """Let the circuit have opened while nobody here was looking."""
        now = round(self.store.stats().at.timestamp() * 1000)
        circuit = {"state": "open", "cause": "gateway_unavailable", "since": now, "failures": 1}
        self.client.hset(f"{PREFIX}circuit", mapping=circuit | {"probe_at": now + 1000})

    def make_probe_due(self) -> None:
        self.client.hset(f"{PREFIX}circuit", "probe_at", 1)

    def wait_for_probe(self) -> timedelta:
        """How long the next probe waits from now."""
        world = self.store.world()
        assert world.circuit is not None
        return world.circuit.probe_at - world.at

    def rest_of(self, agent: str) -> AgentRest | None:
        rests = [rest for rest in self.store.world().rests if rest.agent == agent]
        return rests[0] if rests else None

    def rests_for(self, agent: str) -> timedelta:
        """How long an agent still rests."""
        world = self.store.world()
        ends = [rest.until for rest in world.rests if rest.agent == agent]
        return ends[0] - world.at if ends else timedelta(0)

    def left(self) -> set[str]:
        """All keys of the account, without their prefix, but those that count what happened."""
        keys = {key.decode().removeprefix(PREFIX) for key in self.client.scan_iter()}
        return {key for key in keys if not key.startswith(("totals", "asking", "counts:"))}


def make_room(client: redis.Redis, *, dead_limit: int = 1000, worker: str = "w1") -> Room:
    """Open a store with more slots than a test fills."""
    store = RedisMailboxes(
        client,
        account=AccountId("acc"),
        lease=timedelta(seconds=12),
        worker=worker,
        dead_limit=dead_limit,
    )
    store.open()
    store.set_limits(cap=20, agent_cap=20)
    return Room(
        client, store, RedisBooks(client, store.steps), RedisControls(client, store.steps)
    )  # fmt: skip


def crowded_room(client: redis.Redis) -> Room:
    """Six agents wait, each in a mailbox of its own."""
    room = make_room(client)
    room.put(*[entry(f"n{i}", agent=f"a{i}", task=f"t{i}", at=i) for i in range(1, 7)])
    return room


def grow_old(room: Room, age: timedelta) -> None:
    """Let the trial have asked so long ago."""
    at = room.store.stats().at - age
    room.client.hset(f"{PREFIX}circuit", "asked_at", round(at.timestamp() * 1000))
