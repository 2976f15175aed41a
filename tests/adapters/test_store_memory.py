"""Settled work leaves nothing behind: after its tombstones, the store is as it was before."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from dispatcher.domain.delivery import Blame, Blamed, Claim, Dead, Resting, Sign, Spent
from dispatcher.domain.ids import AgentId, ConversationId, DeliveryId
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Kind
from dispatcher.domain.world import ALL, paused_agent, paused_conversation
from tests.adapters.store_room import (
    ANSWERED,
    FAILED,
    GIVEN_BACK,
    HOUR_OF_REST,
    PREFIX,
    STORED,
    TIMED_OUT,
    Room,
    entry,
    gateway_away,
    make_room,
)
from tests.samples import notification
from tests.waiting import until

OF_THE_ACCOUNT = {"layout", "limits", "swept_at", "turns"}
"""What a store keeps that was used once, however much went through it."""

UPDATE = Kind.THREAD_UPDATE
ASK_LOST = Resting(
    delay=timedelta(seconds=10), cause="ask_lost", spends=Spent.ATTEMPT, sign=Sign.UNCLEAR
)
SICK = Resting(
    delay=timedelta(0), cause="agent_unavailable", spends=Spent.WAIT, sign=Sign.ANSWERS,
    blame=Blame(
        party=Blamed.AGENT, first=timedelta(minutes=1), longest=timedelta(minutes=30)
    ),
)  # fmt: skip


@pytest.fixture
def room(redis_client: redis.Redis) -> Room:
    return make_room(redis_client, dead_limit=2)


def work_off(room: Room) -> None:
    """End all rests and answer everything, as time and workers do."""
    for agent in room.client.zrange(f"{PREFIX}rests", 0, -1):
        room.end_agent_rest(agent.decode())
    for _ in range(100):
        end_rests(room)
        if not room.store.stats().open:
            return
        room.answer(room.claim())
    raise AssertionError("it does not come to an end")


def end_rests(room: Room) -> None:
    for name in room.client.zrange(f"{PREFIX}resting", 0, -1):
        mailbox = f"{PREFIX}mailbox:{name.decode()}"
        head = room.client.hget(mailbox, "pinned")
        if head is None:
            place = room.client.zrange(f"{PREFIX}mail:{name.decode()}", 0, 0)[0]
            head = place.split(b"|", 1)[1]
        room.client.hset(f"{PREFIX}delivery:{head.decode()}", "due", 1)
        room.client.zadd(f"{PREFIX}resting", {name: 1})
    room.store.sweep()


def assert_nothing_is_left(room: Room) -> None:
    """Everything that is not the account's expires; then look at all keys."""
    let_tombstones_expire(room)
    assert room.left() == OF_THE_ACCOUNT


def let_tombstones_expire(room: Room) -> None:
    """Let a day pass: all that has an expiry goes, and nothing else has to."""
    room.store.sweep()
    kept_for_ever = {key for key in room.left() if room.client.pttl(f"{PREFIX}{key}") == -1}
    assert kept_for_ever == OF_THE_ACCOUNT
    for key in room.left() - OF_THE_ACCOUNT:
        room.client.pexpire(f"{PREFIX}{key}", 1)
    until(room.left, lambda keys: keys == OF_THE_ACCOUNT)


# Histories


def plain_answers(room: Room) -> None:
    room.put(*[entry(f"n{i}", task=f"t{i % 3}", agent=f"a{i % 2}", at=i) for i in range(9)])


def rests_and_failures(room: Room) -> None:
    room.put(*[entry(f"n{i}", task=f"t{i}", at=i) for i in range(4)])
    for outcome in (HOUR_OF_REST, FAILED, GIVEN_BACK, TIMED_OUT):
        room.attempt(outcome)


def workers_that_die(room: Room) -> None:
    room.put(entry("n1"), entry("n2", at=2000))
    for _ in range(3):
        claim = room.claim()
        room.store.journal(claim, Journal(stage=Stage.ASKED, asks=1))
        room.lose_worker(claim)


def an_agent_that_rests_and_answers(room: Room) -> None:
    room.put(*[entry(f"n{i}", task=f"t{i}", at=i) for i in range(3)])
    for _ in range(3):
        room.attempt(SICK)
        room.end_agent_rest("a1")


def an_agent_that_rests_and_is_deleted(room: Room) -> None:
    """Nobody will ever answer in its name again; its rows are settled as gone."""
    room.put(entry("n1", agent="gone"))
    room.attempt(SICK)
    room.end_agent_rest("gone")
    room.attempt(ANSWERED)


def dead_letters_that_had_to_go_or_were_discarded(room: Room) -> None:
    room.put(*[entry(f"n{i}", task=f"t{i}", at=i) for i in range(5)])
    for _ in range(5):
        room.attempt(Dead(cause="ask_refused", sign=Sign.ANSWERS))
    for letter in list(room.controls.dead_letters()):
        assert room.controls.discard(letter.delivery)


def dead_letters_that_were_revived(room: Room) -> None:
    room.put(entry("n1"), entry("n2", task="t2", at=2000))
    claim = room.claim()
    room.store.journal(claim, STORED.evolve(stage=Stage.DYING, cause="backend_refused"))
    room.store.settle(claim, Dead(cause="backend_refused"))
    room.attempt(Dead(cause="ask_failed", sign=Sign.ANSWERS))
    assert room.controls.revive(DeliveryId("n1:m1"))
    assert room.controls.revive(DeliveryId("n2:m1"), fresh=True)


def newer_messages(room: Room) -> None:
    room.put(entry("n1", kind=UPDATE))
    claim = room.claim()
    for number in (2, 3):
        room.put(entry("n1", m=f"m{number}", at=1000 * number, kind=UPDATE))
    room.store.settle(rebind(room, claim, "m3", 3000), FAILED)


def rebind(room: Room, claim: Claim, message: str, at: int) -> Claim:
    row = notification(
        notification_id=claim.entry.notification, message=message, created_at_ms=at, kind=UPDATE,
        creation_time_ms=1000.25, recipient=claim.entry.agent, task=claim.entry.task,
    )  # fmt: skip
    return room.store.rebind(claim, row)


def a_dead_letter_whose_newer_message_is_bound(room: Room) -> None:
    room.put(entry("n1", kind=UPDATE), entry("n1", m="m2", at=2000, kind=UPDATE))
    room.store.settle(rebind(room, room.claim(), "m2", 2000), Dead(cause="ask_refused"))
    room.put(entry("n1", m="m3", at=3000, kind=UPDATE))
    room.store.settle(rebind(room, room.claim(), "m2", 2000), ANSWERED)


def carried_messages(room: Room) -> None:
    room.put(entry("n1", kind=UPDATE))
    claim = room.claim()
    room.put(entry("n1", m="m2", kind=UPDATE, carried=True, at=2000))
    room.store.journal(claim, STORED, uses_row_key=True)
    room.store.settle(claim, ANSWERED)


def rows_marked_without_a_claim(room: Room) -> None:
    room.put(entry("n1"), entry("n2", task="t2", at=2000))
    room.controls.pause(paused_agent(AgentId("a1")))
    for one in room.books.stalled(most=10):
        assert room.books.begin_mark(one)
        room.books.end_mark(one.notification)
    room.controls.resume(paused_agent(AgentId("a1")))


def pauses_of_every_kind(room: Room) -> None:
    room.put(entry("n1"), entry("n2", agent="a2", at=2000))
    everything = (
        ALL, paused_agent(AgentId("a1")), paused_conversation(ConversationId("a2:t1")),
        paused_conversation(ConversationId("nobody:t9")),
    )  # fmt: skip
    for what in everything:
        room.controls.pause(what)
    room.store.sweep()
    for what in everything:
        room.controls.resume(what)


def a_circuit_that_opens_and_closes(room: Room) -> None:
    room.put(*[entry(f"n{i}", agent=f"a{i}", at=i) for i in range(3)])
    room.attempt(gateway_away())
    room.store.admit(is_well=False)
    room.store.admit(is_well=True)
    room.attempt(TIMED_OUT)
    room.store.admit(is_well=True)


def a_fuse(room: Room) -> None:
    room.put(*[entry(f"n{i}", agent=f"a{i}", at=i) for i in range(3)])
    for _ in range(3):
        claim = room.claim()
        if room.store.may_die(claim, "ask_failed"):
            room.store.settle(claim, Dead(cause="ask_failed", sign=Sign.ANSWERS))
        else:
            room.store.settle(claim, FAILED)
    room.store.admit(is_well=True)
    for letter in list(room.controls.dead_letters()):
        room.controls.discard(letter.delivery)


def connections_that_broke(room: Room) -> None:
    room.put(entry("n1"), entry("n2", task="t2", at=2000), entry("n3", agent="a3", at=3000))
    room.attempt(ASK_LOST)
    room.attempt(gateway_away())
    room.store.admit(is_well=True)
    end_rests(room)
    room.attempt(ASK_LOST)
    room.store.admit(is_well=True)
    end_rests(room)
    room.answer(room.claim())
    room.attempt(Dead(cause="ask_refused"))
    room.controls.discard(next(iter(room.controls.dead_letters())).delivery)


def stored_answers(room: Room) -> None:
    room.put(entry("n1"), entry("n2", task="t2", at=2000))
    room.store_answer(room.claim())
    room.store_answer(room.claim())


def audits_and_polls(room: Room) -> None:
    page = [entry(f"n{i}", task=f"t{i}", at=i) for i in range(3)]
    room.put(*page)
    room.attempt(ANSWERED)
    for _ in range(3):
        room.put(*page)
        room.books.audit(page)
        room.store.sweep()


HISTORIES = (
    plain_answers,
    rests_and_failures,
    workers_that_die,
    an_agent_that_rests_and_answers,
    dead_letters_that_had_to_go_or_were_discarded,
    dead_letters_that_were_revived,
    newer_messages,
    a_dead_letter_whose_newer_message_is_bound,
    carried_messages,
    rows_marked_without_a_claim,
    pauses_of_every_kind,
    a_circuit_that_opens_and_closes,
    a_fuse,
    connections_that_broke,
    stored_answers,
    audits_and_polls,
)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_settled_deliveries_leave_nothing_behind_after_their_tombstones(
    room: Room, history: Callable[[Room], None]
) -> None:
    history(room)
    work_off(room)

    assert_nothing_is_left(room)


def test_an_agent_that_rested_and_is_gone_leaves_nothing_behind(room: Room) -> None:
    an_agent_that_rests_and_is_deleted(room)

    assert_nothing_is_left(room)


def test_day_after_day_of_everything_leaves_nothing_behind_either(room: Room) -> None:
    for history in (*HISTORIES, *reversed(HISTORIES)):
        history(room)
        work_off(room)
        let_tombstones_expire(room)

    assert_nothing_is_left(room)


def test_unsettled_and_dead_deliveries_never_expire(room: Room) -> None:
    """Only a person ends a dead letter, and only an outcome ends a delivery."""
    room.put(entry("n1"), entry("n2", task="t2", at=2), entry("n3", task="t3", at=3))
    room.attempt(Dead(cause="ask_refused"))
    room.attempt(HOUR_OF_REST)
    room.claim()

    mortal = {key for key in room.left() if room.client.pttl(f"{PREFIX}{key}") != -1}

    assert {key.split(":")[0] for key in mortal} == {"handed", "settled"}


def test_rows_of_one_day_cost_little_memory(room: Room) -> None:
    """A tombstone is a hash of a few fields and a short story, not the delivery itself."""
    room.put(entry("n1"))
    claim = room.claim()
    room.store.journal(claim, STORED.evolve(said="x" * 50_000))
    room.store.settle(claim, ANSWERED)

    tombstones = [f"{PREFIX}{key}" for key in room.left() if "n1" in key]

    assert sum(room.client.memory_usage(key) or 0 for key in tombstones) < 2_000


def test_a_flood_costs_no_more_than_what_the_backend_lists(room: Room) -> None:
    """A hundred thousand undelivered rows: the backend lists its 500 oldest, again and again."""
    page = [
        entry(f"n{number:0>30}", m="m" * 32, task=f"t{number % 50:0>30}", at=1_000 + number)
        for number in range(500)
    ]
    before = room.client.info("memory")["used_memory"]

    for _ in range(20):
        room.store.put(page)

    used = room.client.info("memory")["used_memory"] - before
    assert room.store.stats().open == 500
    assert used < 500 * 8 * 1024
