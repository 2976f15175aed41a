"""The plan of heartbeats on a real Redis: it survives, doubles nothing, and follows the roster."""

from datetime import timedelta

import pytest
import redis

from dispatcher.adapters.redis.heartbeats import RedisHeartbeats
from dispatcher.domain.delivery import Claim, Settled
from dispatcher.domain.errors import LeadLost
from dispatcher.domain.heartbeat import entry_of_heartbeat
from dispatcher.domain.ids import AgentId
from dispatcher.domain.notification import Kind
from tests.adapters.store_room import PREFIX, Room, entry, make_room

A, B = AgentId("a1"), AgentId("a2")
EVERY, SOON = timedelta(minutes=5), timedelta(0)


@pytest.fixture
def room(redis_client: redis.Redis) -> Room:
    return make_room(redis_client)


@pytest.fixture
def beats(room: Room) -> RedisHeartbeats:
    return RedisHeartbeats(room.client, room.store.steps)


def wait_of(room: Room, agent: AgentId) -> float:
    """Seconds until an agent's next heartbeat."""
    seconds, micros = room.client.time()
    due = room.client.zscore(f"{PREFIX}heartbeats", agent)
    assert due is not None
    return due / 1000 - (seconds + micros / 1e6)


def make_due(room: Room, agent: AgentId) -> None:
    room.client.zadd(f"{PREFIX}heartbeats", {agent: 1})


def test_who_is_new_waits_for_its_first_one_and_who_is_known_keeps_its_time(room, beats) -> None:
    beats.plan([(A, EVERY, timedelta(seconds=30))], term=0)
    beats.plan([(A, EVERY, SOON), (B, EVERY, timedelta(seconds=60))], term=0)

    assert 28 < wait_of(room, A) <= 30
    assert 58 < wait_of(room, B) <= 60


def test_after_a_long_stop_not_all_wake_at_once(room, beats) -> None:
    beats.plan([(A, EVERY, SOON), (B, EVERY, SOON)], term=0)
    make_due(room, A)
    make_due(room, B)

    beats.plan([(A, EVERY, timedelta(seconds=3)), (B, EVERY, timedelta(seconds=60))], term=0)

    assert 2 < wait_of(room, A) <= 3
    assert 58 < wait_of(room, B) <= 60


def test_item_140_a_changed_interval_starts_anew_and_who_left_is_forgotten(room, beats) -> None:
    beats.plan([(A, EVERY, timedelta(seconds=30)), (B, EVERY, SOON)], term=0)

    beats.plan([(A, timedelta(minutes=9), timedelta(seconds=3))], term=0)

    assert 2 < wait_of(room, A) <= 3
    assert room.client.zscore(f"{PREFIX}heartbeats", B) is None
    assert beats.take_due(term=0)[1] == ()


def test_item_139_the_next_one_is_counted_from_the_end_of_the_last(room, beats) -> None:
    beats.plan([(A, EVERY, SOON)], term=0)
    assert beats.take_due(term=0)[1] == (A,)

    beats.end(A, seen="print")

    assert 299 < wait_of(room, A) <= 330
    assert beats.seen(A) == "print"
    beats.end(A, seen="")
    assert beats.seen(A) == "print"
    assert beats.seen(B) == ""


def test_who_left_while_it_was_awake_is_not_planned_again(room, beats) -> None:
    beats.plan([(A, EVERY, SOON)], term=0)
    beats.plan([], term=0)

    beats.end(A, seen="x")

    assert room.client.zcard(f"{PREFIX}heartbeats") == 0


def test_what_is_due_is_taken_once_also_when_its_taker_dies(room, beats) -> None:
    """It is missed then, and the next one comes by itself."""
    beats.plan([(A, EVERY, SOON)], term=0)

    assert beats.take_due(term=0)[1] == (A,)
    assert beats.take_due(term=0)[1] == ()
    assert 299 < wait_of(room, A) <= 300


def test_an_agent_whose_heartbeat_is_not_over_gets_no_second_one(room, beats) -> None:
    beats.plan([(A, EVERY, SOON)], term=0)
    now, (agent,) = beats.take_due(term=0)
    room.store.put([entry_of_heartbeat(agent, now)])

    make_due(room, A)
    assert beats.take_due(term=0)[1] == ()
    claim = room.claim()
    make_due(room, A)
    assert beats.take_due(term=0)[1] == ()
    room.store.settle(claim, Settled(outcome="heartbeat_ok"))
    make_due(room, A)

    assert beats.take_due(term=0)[1] == (A,)


def test_item_151_a_heartbeat_waits_behind_the_notifications_of_its_session(room, beats) -> None:
    beats.plan([(A, EVERY, SOON)], term=0)
    now, _ = beats.take_due(term=0)
    room.store.put([entry_of_heartbeat(A, now)])
    room.put(entry("n1", agent="a1", task=None, at=1), entry("n2", agent="a1", task=None, at=2))

    order = []
    for _ in range(3):
        claim = room.claim()
        order.append(claim.entry.notification)
        assert isinstance(claim, Claim)
        assert room.store.claim(claim.conversation) is not claim
        room.store.settle(claim, Settled(outcome="answered"))

    assert order == ["n1", "n2", "heartbeat-a1"]


def test_deliveries_of_others_go_before_heartbeats(room, beats) -> None:
    beats.plan([(A, EVERY, SOON)], term=0)
    now, _ = beats.take_due(term=0)
    room.store.put([entry_of_heartbeat(A, now)])
    room.put(entry("n1", agent="a2", kind=Kind.STATUS_CHANGE))

    assert room.claim().entry.notification == "n1"


def test_a_settled_heartbeat_leaves_only_a_tombstone(room, beats) -> None:
    beats.plan([(A, EVERY, SOON)], term=0)
    now, _ = beats.take_due(term=0)
    room.store.put([entry_of_heartbeat(A, now)])
    room.store.settle(room.claim(), Settled(outcome="heartbeat_ok"))

    for key in room.client.keys(f"{PREFIX}*heartbeat-*"):
        assert room.client.pttl(key) > 0
    assert room.store.stats().open == 0


def test_a_leader_of_an_old_term_plans_and_takes_nothing(room, beats) -> None:
    room.client.set(f"{PREFIX}term", 5)

    with pytest.raises(LeadLost):
        beats.plan([(A, EVERY, SOON)], term=4)
    with pytest.raises(LeadLost):
        beats.take_due(term=4)
