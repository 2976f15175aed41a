"""An operator pauses everything, an agent or a conversation; nothing that runs is cut."""

from datetime import timedelta

import pytest
import redis

from dispatcher.domain.delivery import NotClaimed
from dispatcher.domain.ids import AgentId, ConversationId
from dispatcher.domain.world import ALL, paused_agent, paused_conversation
from tests.adapters.store_room import ANSWERED, HOUR_OF_REST, PREFIX, Room, entry, make_room

A1 = paused_agent(AgentId("a1"))
A1_T1 = paused_conversation(ConversationId("a1:t1"))
EVERY_WAY = pytest.mark.parametrize("what", [ALL, A1, A1_T1])


@pytest.fixture
def room(redis_client: redis.Redis) -> Room:
    room = make_room(redis_client)
    room.put(entry("n1"), entry("n2", at=2000))
    return room


@pytest.fixture
def crowd(room: Room) -> Room:
    """Also another conversation of the same agent, and another agent."""
    room.put(entry("n3", task="t2", at=3000), entry("n4", agent="a2", task="t1", at=4000))
    return room


@EVERY_WAY
def test_what_is_paused_is_not_asked_and_not_rung(room: Room, what: str) -> None:
    assert room.controls.pause(what)

    assert room.refusal("a1:t1") is NotClaimed.PAUSED
    assert room.store.sweep().to_ring == ()
    assert room.store.stats().open == 2


@EVERY_WAY
def test_resuming_lets_it_go_on_where_it_stopped(room: Room, what: str) -> None:
    room.controls.pause(what)

    assert room.controls.resume(what)

    assert room.store.sweep().to_ring == ("a1:t1",)
    assert room.claim().delivery == "n1:m1"


@EVERY_WAY
def test_pausing_and_resuming_tell_whether_anything_changed(room: Room, what: str) -> None:
    assert not room.controls.resume(what)
    assert [room.controls.pause(what), room.controls.pause(what)] == [True, False]
    assert [name for name, _ in room.store.world().paused] == [what]
    assert [room.controls.resume(what), room.controls.resume(what)] == [True, False]
    assert room.store.world().paused == ()


@EVERY_WAY
def test_a_running_turn_ends_under_a_pause_and_the_next_one_waits(room: Room, what: str) -> None:
    running = room.claim()
    room.controls.pause(what)

    assert room.store.renew([running], ceiling=timedelta(hours=1)) == (True,)
    room.answer(running)

    assert room.store.stats().open == 1
    assert room.refusal("a1:t1") is NotClaimed.PAUSED


@EVERY_WAY
def test_a_stored_answer_is_written_back_under_a_pause(room: Room, what: str) -> None:
    room.store_answer(room.claim())
    room.controls.pause(what)

    assert room.store.sweep().to_ring == ("a1:t1",)
    room.attempt(ANSWERED)

    assert room.refusal("a1:t1") is NotClaimed.PAUSED


@EVERY_WAY
def test_an_answer_that_is_stored_under_a_pause_is_written_back_too(room: Room, what: str) -> None:
    running = room.claim()
    room.controls.pause(what)

    room.store_answer(running)

    assert room.claim().delivery == running.delivery


@EVERY_WAY
def test_what_is_put_under_a_pause_is_kept_for_later(room: Room, what: str) -> None:
    room.controls.pause(what)
    put = room.store.put([entry("n5", at=5000)])
    assert (put.added, put.to_ring) == (1, ())

    room.controls.resume(what)

    order = []
    for _ in range(3):
        claim = room.attempt(ANSWERED)
        order.append(claim.entry.notification)
    assert order == ["n1", "n2", "n5"]


@EVERY_WAY
def test_a_worker_that_dies_under_a_pause_gives_its_claim_back(room: Room, what: str) -> None:
    running = room.claim()
    room.controls.pause(what)

    room.lose_worker(running)

    assert room.refusal("a1:t1") is NotClaimed.PAUSED
    room.controls.resume(what)
    claim = room.claim()
    assert (claim.delivery, claim.strikes) == (running.delivery, 1)


def test_a_paused_agent_stops_nobody_else(crowd: Room) -> None:
    crowd.controls.pause(A1)

    assert crowd.claim().entry.agent == "a2"
    assert crowd.refusal("a1:t2") is NotClaimed.PAUSED


def test_a_paused_conversation_stops_no_other_of_its_agent(crowd: Room) -> None:
    crowd.controls.pause(A1_T1)

    assert {crowd.claim().conversation for _ in range(2)} == {"a1:t2", "a2:t1"}
    assert crowd.refusal("a1:t1") is NotClaimed.PAUSED


def test_pauses_of_several_kinds_are_ended_one_by_one(crowd: Room) -> None:
    for what in (ALL, A1, A1_T1):
        crowd.controls.pause(what)
    crowd.controls.resume(ALL)
    assert crowd.claim().entry.agent == "a2"
    crowd.controls.resume(A1)
    assert crowd.claim().conversation == "a1:t2"
    crowd.controls.resume(A1_T1)
    assert crowd.claim().conversation == "a1:t1"


def test_a_rest_that_ends_under_a_pause_ends_at_the_resume(room: Room) -> None:
    running = room.claim()
    room.controls.pause(A1_T1)
    room.store.settle(running, HOUR_OF_REST)
    room.client.zadd(f"{PREFIX}resting", {"a1:t1": 1})
    room.client.hset(f"{PREFIX}delivery:{running.delivery}", "due", 1)
    assert room.store.sweep().rested == 1
    assert room.refusal("a1:t1") is NotClaimed.PAUSED

    room.controls.resume(A1_T1)

    assert room.claim().delivery == running.delivery


def test_a_paused_conversation_without_mail_leaves_no_mailbox(room: Room) -> None:
    elsewhere = paused_conversation(ConversationId("a9:t9"))

    room.controls.pause(elsewhere)
    room.controls.resume(elsewhere)

    assert not room.left() & {"mailbox:a9:t9", "mail:a9:t9", "paused"}


def test_mail_for_a_conversation_that_was_paused_before_it_had_any_waits(room: Room) -> None:
    room.controls.pause(paused_conversation(ConversationId("a9:t9")))

    put = room.store.put([entry("n9", agent="a9", task="t9")])

    assert (put.added, put.to_ring) == (1, ())
    assert room.refusal_of("a9:t9") is NotClaimed.PAUSED
