"""The mailbox store under random histories, on a real Redis: its invariants always hold."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dispatcher.adapters.redis.books import RedisBooks
from dispatcher.adapters.redis.controls import RedisControls
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.domain.delivery import (
    Blame,
    Blamed,
    Claim,
    Dead,
    Entry,
    NotClaimed,
    Resting,
    Settled,
    Sign,
    Spent,
)
from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import (
    AccountId,
    AgentId,
    ConversationId,
    DeliveryId,
    MessageId,
    NotificationId,
    TaskId,
)
from dispatcher.domain.journal import Journal, Stage, load
from dispatcher.domain.notification import Kind
from dispatcher.domain.reply import Reply
from dispatcher.domain.world import CircuitState
from dispatcher.ports import Holding
from tests.samples import notification

PREFIX = "mission-control:{acc}:"
CAP, AGENT_CAP = 3, 2
ROWS = st.integers(0, 11)
GATEWAY = Blame(party=Blamed.GATEWAY, first=timedelta(hours=1), longest=timedelta(hours=1))
AGENT = Blame(party=Blamed.AGENT, first=timedelta(hours=1), longest=timedelta(hours=2))
OUTCOMES = st.sampled_from([
    Settled(outcome="answered"),
    Dead(cause="ask_refused", sign=Sign.ANSWERS),
    Resting(
        delay=timedelta(0), cause="gateway_unavailable", spends=Spent.WAIT, blame=GATEWAY
    ),
    Resting(
        delay=timedelta(0), cause="agent_unavailable", spends=Spent.WAIT, blame=AGENT,
        sign=Sign.ANSWERS,
    ),
    Resting(
        delay=timedelta(0), cause="ask_timed_out", spends=Spent.ATTEMPT, sign=Sign.UNCLEAR
    ),
    Resting(delay=timedelta(hours=1), cause="ask_failed", spends=Spent.ATTEMPT),
    Resting(delay=timedelta(0), cause="draining", spends=Spent.NOTHING),
])  # fmt: skip

WHAT = st.sampled_from(["all", "agent:a0", "agent:a1", "conversation:a0:t0", "conversation:a1:t3"])
GIVEN_BACK = Resting(delay=timedelta(0), cause="draining", spends=Spent.NOTHING)


def row(number: int, version: int) -> Entry:
    """One of twelve rows over six conversations of two agents; a version is a newer message."""
    return Entry(
        notification=NotificationId(f"n{number}"),
        message=MessageId(f"m{number}v{version}"),
        agent=AgentId(f"a{number % 2}"),
        task=TaskId(f"t{number % 6}"),
        kind=(Kind.MENTION, Kind.THREAD_UPDATE, Kind.STATUS_CHANGE)[number % 3],
        created_at_ms=1000 + number + 100 * version,
        creation_time_ms=1000.25 + number,
    )


class MailboxMachine(RuleBasedStateMachine):
    """Plays poller, workers, crashes and clocks against one store."""

    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.store = RedisMailboxes(
            self.client, account=AccountId("acc"), lease=timedelta(hours=1), worker="w"
        )
        self.books = RedisBooks(self.client, self.store.steps)
        self.controls = RedisControls(self.client, self.store.steps)
        self.claims: list[Claim] = []
        self.paid: set[str] = set()
        self.lost: list[Claim] = []
        self.versions: Counter[int] = Counter()
        self.known: set[tuple[int, int]] = set()
        self.ended: set[str] = set()
        self.begun: dict[str, str] = {}

    @initialize()
    def limits(self) -> None:
        self.store.set_limits(cap=CAP, agent_cap=AGENT_CAP)

    @rule(numbers=st.lists(ROWS, min_size=1, max_size=6))
    def put(self, numbers: list[int]) -> None:
        put = self.store.put([row(n, self.versions[n]) for n in numbers])
        new = {(n, self.versions[n]) for n in numbers} - self.known
        assert put.added == len(new)
        assert len(put.to_ring) <= CAP
        self.known |= new

    @rule(number=ROWS)
    def a_newer_message_replaces_the_row(self, number: int) -> None:
        self.versions[number] += 1

    @rule(number=ROWS)
    def claim(self, number: int) -> None:
        hint = row(number, 0).conversation
        self.before = self.store.world()
        trial = self.client.hget(f"{PREFIX}circuit", "trial")
        self.trial = trial.decode() if trial else None
        claim = self.store.claim(hint)
        if not isinstance(claim, NotClaimed):
            self.take(claim)

    def take(self, claim: Claim) -> None:
        assert claim.conversation not in {held.conversation for held in self.claims}
        assert claim.delivery not in self.ended
        assert self.is_head(claim)
        self.assert_the_world_let_it_through(claim)
        begun = self.begun.get(claim.conversation)
        assert begun in {None, claim.delivery}, "a begun head stays first until it is over"
        self.claims.append(claim)

    def assert_the_world_let_it_through(self, claim: Claim) -> None:
        if claim.delivery in self.paid:
            return
        world = self.before
        assert world.circuit is None or world.circuit.state is CircuitState.TRIAL
        assert claim.entry.agent not in {rest.agent for rest in world.rests}
        names = {what for what, _ in world.paused}
        mine = {"all", f"agent:{claim.entry.agent}", f"conversation:{claim.conversation}"}
        assert names.isdisjoint(mine)
        if world.circuit is not None:
            assert self.trial is None, "one trial ask at a time"
            self.trial = claim.token

    @rule(data=st.data(), is_answer=st.booleans())
    def journal(self, data: st.DataObject, is_answer: bool) -> None:
        claim = self.pick(data)
        if claim is None:
            return
        journal = Journal(stage=Stage.ASKED, asks=claim.attempt_no)
        if is_answer:
            journal = journal.evolve(stage=Stage.ANSWERED, reply=Reply(text="done"))
            self.paid.add(claim.delivery)
        elif claim.delivery in self.paid:
            return
        self.store.journal(claim, journal)
        self.begun[claim.conversation] = claim.delivery
        if is_answer:
            world = self.store.world()
            assert claim.entry.agent not in {rest.agent for rest in world.rests}
            assert self.trial != claim.token or world.circuit is None

    @rule(what=WHAT, wanted=st.booleans())
    def somebody_pauses_or_resumes(self, what: str, wanted: bool) -> None:
        is_paused = what in {name for name, _ in self.store.world().paused}
        changed = self.controls.pause(what) if wanted else self.controls.resume(what)
        assert changed == (is_paused != wanted)

    @rule(is_well=st.booleans())
    def the_gateway_is_probed(self, is_well: bool) -> None:
        before = self.store.world().circuit
        self.store.admit(is_well=is_well)
        after = self.store.world().circuit
        assert (before is None) == (after is None)
        if before and after and before.state is CircuitState.OPEN:
            assert (after.state is CircuitState.TRIAL) == is_well

    @rule()
    def rested_agents_come_back(self) -> None:
        for agent in self.client.zrange(f"{PREFIX}rests", 0, -1):
            self.client.zadd(f"{PREFIX}rests", {agent: 1})

    @rule(data=st.data(), cause=st.sampled_from(["ask_failed", "ask_lost"]))
    def a_death_asks_the_fuse(self, data: st.DataObject, cause: str) -> None:
        claim = self.pick(data)
        if claim is None:
            return
        self.client.zrem(f"{PREFIX}deaths:{cause}", claim.conversation)
        others = self.client.zcard(f"{PREFIX}deaths:{cause}")
        assert self.store.may_die(claim, cause) == (others < 2)
        if others >= 2:
            world = self.store.world()
            rests = claim.entry.agent in {rest.agent for rest in world.rests}
            assert rests or world.circuit is not None

    @rule(data=st.data(), is_fresh=st.booleans())
    def a_dead_letter_is_revived(self, data: st.DataObject, is_fresh: bool) -> None:
        dead = [name.decode() for name in self.client.zrange(f"{PREFIX}dead", 0, -1)]
        if not dead:
            return
        delivery = DeliveryId(data.draw(st.sampled_from(dead)))
        assert self.controls.revive(delivery, fresh=is_fresh)
        assert not self.controls.revive(delivery, fresh=is_fresh)
        self.ended.discard(delivery)
        if is_fresh:
            self.paid.discard(delivery)

    @rule(data=st.data())
    def a_dead_letter_is_discarded(self, data: st.DataObject) -> None:
        dead = [name.decode() for name in self.client.zrange(f"{PREFIX}dead", 0, -1)]
        if dead:
            delivery = DeliveryId(data.draw(st.sampled_from(dead)))
            assert self.controls.discard(delivery)
            assert not self.controls.discard(delivery)

    @rule(number=ROWS)
    def a_row_is_marked_without_a_claim(self, number: int) -> None:
        entry = row(number, self.versions[number])
        claimed = {claim.delivery for claim in self.claims}
        may_mark = self.books.begin_mark(entry)
        assert not (may_mark and entry.delivery in claimed)
        if may_mark:
            assert entry in self.books.begun_marks()
            self.books.end_mark(entry.notification)

    @rule()
    def the_books_are_right(self) -> None:
        entries = [row(n, self.versions[n]) for n in range(12)]
        audit = self.books.audit(entries)
        assert audit.righted == 0, "nothing stands nowhere"
        opened = {name.decode() for name in self.client.zrange(f"{PREFIX}open", 0, -1)}
        for number, holding in enumerate(audit.holdings):
            known = (number, self.versions[number]) in self.known
            assert (holding is Holding.UNKNOWN) == (not known)
            if entries[number].delivery in opened:
                assert holding is Holding.OPEN

    @rule(data=st.data())
    def rebind(self, data: st.DataObject) -> None:
        claim = self.pick(data)
        if claim is not None:
            self.rebind_claim(claim)

    def rebind_claim(self, claim: Claim) -> None:
        number = int(claim.entry.notification[1:])
        newest = row(number, self.versions[number])
        if newest.created_at_ms <= claim.entry.created_at_ms:
            return
        bound = self.store.rebind(
            claim,
            notification(
                notification_id=newest.notification, message=newest.message, kind=newest.kind,
                recipient=newest.agent, task=newest.task, created_at_ms=newest.created_at_ms,
                creation_time_ms=newest.creation_time_ms,
            ),
        )  # fmt: skip
        # It stands for all older messages of its row.
        self.ended |= {f"n{number}:m{number}v{v}" for v in range(self.versions[number])}
        self.known |= {(number, version) for version in range(self.versions[number] + 1)}
        self.claims[self.claims.index(claim)] = bound
        self.paid.discard(bound.delivery)
        if claim.delivery in self.paid:
            self.paid.add(bound.delivery)
        if self.begun.get(claim.conversation) == claim.delivery:
            self.begun[claim.conversation] = bound.delivery
        opened = [name.decode() for name in self.client.zrange(f"{PREFIX}open", 0, -1)]
        of_the_row = [name for name in opened if name.startswith(f"{newest.notification}:")]
        assert of_the_row == [bound.delivery], "one turn answers all older messages of the row"

    @rule(data=st.data(), outcome=OUTCOMES, goes_on=st.booleans())
    def settle(self, data: st.DataObject, outcome: Settled | Dead | Resting, goes_on: bool) -> None:
        claim = self.pick(data)
        if claim is None:
            return
        done = self.store.settle(claim, outcome, goes_on=goes_on)
        assert len(done.to_ring) <= (0 if goes_on else 1)
        assert goes_on or done.next_claim is None
        blames = isinstance(outcome, Resting) and outcome.blame.party
        world = self.store.world()
        assert blames is not Blamed.GATEWAY or world.circuit is not None
        assert blames is not Blamed.AGENT or claim.entry.agent in {r.agent for r in world.rests}
        self.claims.remove(claim)
        self.lost.append(claim)
        if not isinstance(outcome, Resting):
            self.ended.add(claim.delivery)
            self.begun.pop(claim.conversation, None)
        if done.next_claim is not None:
            # Whatever the outcome has changed in the world counts for it already.
            self.before, self.trial = world, None
            self.take(done.next_claim)

    @rule(data=st.data())
    def a_lease_runs_out(self, data: st.DataObject) -> None:
        claim = self.pick(data)
        if claim is None:
            return
        self.client.zadd(f"{PREFIX}claims", {claim.conversation: 1})
        assert self.store.sweep().expired == 1
        self.claims.remove(claim)
        self.lost.append(claim)

    @rule(data=st.data())
    def a_late_renewal_saves_the_claim(self, data: st.DataObject) -> None:
        claim = self.pick(data)
        if claim is None:
            return
        self.client.zadd(f"{PREFIX}claims", {claim.conversation: 1})
        assert self.store.renew([claim], ceiling=timedelta(hours=2)) == (True,)
        assert self.store.sweep().expired == 0

    @rule(data=st.data())
    def an_older_row_comes_late_to_a_begun_head(self, data: st.DataObject) -> None:
        """Rare by chance: begun, given back, and then a row that was created before it."""
        claim = self.pick(data)
        if claim is None:
            return
        number = int(claim.entry.notification[1:])
        older = [n for n in range(number % 6, number, 6) if (n, self.versions[n]) not in self.known]
        if claim.delivery not in self.paid:
            self.store.journal(claim, Journal(stage=Stage.ASKED))
            self.begun[claim.conversation] = claim.delivery
        self.store.settle(claim, GIVEN_BACK)
        self.claims.remove(claim)
        self.lost.append(claim)
        if older:
            self.put(older[:1])
        self.claim(number)

    @rule(data=st.data(), more=st.integers(2, 3))
    def newer_messages_pile_up_behind_a_turn(self, data: st.DataObject, more: int) -> None:
        claim = self.pick(data)
        if claim is None:
            return
        number = int(claim.entry.notification[1:])
        for _ in range(more):
            self.versions[number] += 1
            self.put([number])
        self.rebind_claim(claim)

    @rule()
    def rests_end(self) -> None:
        for name in self.client.zrange(f"{PREFIX}resting", 0, -1):
            self.client.zadd(f"{PREFIX}resting", {name: 1})
            head = self.head_of(name.decode())
            self.client.hset(f"{PREFIX}delivery:{head}", "due", 1)
        self.store.sweep()

    @rule(data=st.data())
    def a_frozen_worker_thaws_when_another_one_has_its_mailbox(self, data: st.DataObject) -> None:
        """Rare by chance: the mailbox of the frozen one must be claimed anew."""
        claim = self.pick(data)
        if claim is None:
            return
        self.client.zadd(f"{PREFIX}claims", {claim.conversation: 1})
        self.store.sweep()
        self.claims.remove(claim)
        self.lost.append(claim)
        self.claim(int(claim.entry.notification[1:]))
        self.assert_it_changes_nothing(claim)

    @rule(data=st.data())
    def a_stale_worker_changes_nothing(self, data: st.DataObject) -> None:
        if self.lost:
            self.assert_it_changes_nothing(data.draw(st.sampled_from(self.lost)))

    def assert_it_changes_nothing(self, stale: Claim) -> None:
        before = self.everything()
        with pytest.raises(LeaseLost):
            self.store.journal(stale, Journal(stage=Stage.POSTING))
        # Whoever settled it himself may hear the same answer again.
        with suppress(LeaseLost):
            self.store.settle(stale, Settled(outcome="answered"))
        assert self.store.renew([stale], ceiling=timedelta(hours=2)) == (False,)
        assert self.everything() == before

    @invariant()
    def one_live_claim_per_mailbox_and_never_more_than_the_caps(self) -> None:
        live = {name.decode() for name in self.client.zrange(f"{PREFIX}claims", 0, -1)}
        assert live == {claim.conversation for claim in self.claims}
        assert len(live) <= CAP
        asking = [claim for claim in self.claims if not self.was_paid(claim)]
        per_agent = Counter(claim.entry.agent for claim in asking)
        assert all(count <= AGENT_CAP for count in per_agent.values())
        for agent in ("a0", "a1"):
            assert self.client.scard(f"{PREFIX}claims:{agent}") == per_agent[AgentId(agent)]

    @invariant()
    def every_delivery_is_in_exactly_one_state(self) -> None:
        opened = {name.decode() for name in self.client.zrange(f"{PREFIX}open", 0, -1)}
        dead = {name.decode() for name in self.client.zrange(f"{PREFIX}dead", 0, -1)}
        kept = {
            k.decode().split("delivery:")[1] for k in self.client.scan_iter(f"{PREFIX}delivery:*")
        }
        assert opened.isdisjoint(dead)
        assert kept == opened | dead
        boxed = [place.decode().split("|", 1)[1]
                 for key in self.client.scan_iter(f"{PREFIX}mail:*")
                 for place in self.client.zrange(key, 0, -1)]  # fmt: skip
        assert sorted(boxed) == sorted(opened)
        claimed = {claim.delivery for claim in self.claims}
        for delivery in opened:
            state = self.client.hget(f"{PREFIX}delivery:{delivery}", "state")
            assert (state == b"claimed") == (delivery in claimed)

    @invariant()
    def every_mailbox_with_mail_is_claimed_or_waits_in_one_place(self) -> None:
        in_line: Counter[str] = Counter()
        for key in self.client.scan_iter(f"{PREFIX}line:*:*"):
            in_line.update(name.decode() for name in self.client.zrange(key, 0, -1))
        in_line.update(name.decode() for name in self.client.zrange(f"{PREFIX}resting", 0, -1))
        in_line.update(name.decode() for name in self.client.zrange(f"{PREFIX}paid", 0, -1))
        in_line.update(claim.conversation for claim in self.claims)
        boxes = {k.decode().split("mail:")[1] for k in self.client.scan_iter(f"{PREFIX}mail:*")}
        paused = {
            what.removeprefix("conversation:")
            for what, _ in self.store.world().paused
            if what.startswith("conversation:")
        }
        assert set(in_line) | paused >= boxes
        assert boxes >= set(in_line)
        assert max(in_line.values(), default=1) == 1

    def was_paid(self, claim: Claim) -> bool:
        """Say whether it was paid when it was claimed: such a claim takes no slot of its agent."""
        return bool(claim.journal_text) and load(claim.journal_text).needs_no_agent

    def teardown(self) -> None:
        """From every state, sweeping and working ends with everything settled or dead."""
        for what, _ in self.store.world().paused:
            self.controls.resume(what)
        self.client.delete(f"{PREFIX}circuit")
        self.rested_agents_come_back()
        for claim in list(self.claims):
            self.client.zadd(f"{PREFIX}claims", {claim.conversation: 1})
        self.claims.clear()
        order: dict[str, list[int]] = {}
        for _ in range(200):
            self.rests_end()
            if self.store.stats().open == 0:
                break
            claim = self.store.claim(ConversationId("-"))
            if isinstance(claim, Claim):
                order.setdefault(claim.conversation, []).append(claim.entry.created_at_ms)
                self.store.settle(claim, Settled(outcome="answered"))
        assert self.store.stats().open == 0
        for times in order.values():
            # Behind a head that an attempt has begun, mail leaves in the order of creation.
            assert times[1:] == sorted(times[1:])
        waiting = ("mailbox:", "mail:", "line:", "claims", "resting", "handed:", "open", "paid")
        left = [k.decode().removeprefix(PREFIX) for k in self.client.scan_iter()]
        assert [name for name in left if name.startswith(waiting)] == []

    def pick(self, data: st.DataObject) -> Claim | None:
        return data.draw(st.sampled_from(self.claims)) if self.claims else None

    def head_of(self, conversation: str) -> str:
        pinned = self.client.hget(f"{PREFIX}mailbox:{conversation}", "pinned")
        first = self.client.zrange(f"{PREFIX}mail:{conversation}", 0, 0)[0]
        return (pinned or first.split(b"|", 1)[1]).decode()

    def is_head(self, claim: Claim) -> bool:
        return self.head_of(claim.conversation) == claim.delivery

    def everything(self) -> dict[bytes, bytes | None]:
        return {key: self.client.dump(key) for key in self.client.scan_iter()}


@pytest.mark.timeout(240)
def test_the_mailbox_store_keeps_its_invariants_in_every_history(redis_client) -> None:
    machine = type("Machine", (MailboxMachine,), {"client": redis_client})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=80,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
