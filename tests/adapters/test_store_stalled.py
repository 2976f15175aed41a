"""Deliveries that only wait for their agents make room in a full list."""

from datetime import timedelta

import pytest
import redis

from dispatcher.domain.delivery import Blame, Blamed, Resting, Spent
from dispatcher.domain.ids import AgentId, ConversationId
from dispatcher.domain.notification import Kind
from dispatcher.domain.world import paused_agent, paused_conversation
from tests.adapters.store_room import HOUR_OF_REST, PREFIX, Room, entry, make_room

UPDATE = Kind.THREAD_UPDATE
SICK = Resting(
    delay=timedelta(0),
    cause="agent_unavailable",
    spends=Spent.WAIT,
    blame=Blame(
        party=Blamed.AGENT, first=timedelta(minutes=1), longest=timedelta(minutes=30)
    ),
)  # fmt: skip


@pytest.fixture
def room(redis_client: redis.Redis) -> Room:
    return make_room(redis_client)


def test_only_those_who_wait_for_paused_or_resting_agents_are_stalled(room: Room) -> None:
    room.put(entry("sick", agent="sick", task="t1", at=1))
    room.attempt(SICK, hint="sick:t1")
    room.put(
        entry("s2", agent="sick", task="t2", at=2),
        entry("p1", agent="paused", task="t1", at=3),
        entry("c1", agent="well", task="closed", at=4),
        entry("w1", agent="well", task="t1", at=5),
        entry("w2", agent="well", task="t2", at=6),
    )
    room.controls.pause(paused_agent(AgentId("paused")))
    room.controls.pause(paused_conversation(ConversationId("well:closed")))
    room.attempt(HOUR_OF_REST)

    stalled = room.books.stalled(most=10)

    assert {one.notification for one in stalled} == {"sick", "s2", "p1", "c1"}


def test_the_oldest_are_found_first_and_no_more_than_wanted(room: Room) -> None:
    for number in range(6):
        room.put(entry(f"n{number}", task=f"t{number}", at=number))
        room.client.zadd(f"{PREFIX}open", {f"n{number}:m1": number})
    room.controls.pause(paused_agent(AgentId("a1")))

    stalled = room.books.stalled(most=4)

    assert [one.notification for one in stalled] == ["n0", "n1", "n2", "n3"]


def test_what_is_carried_already_is_not_found_again(room: Room) -> None:
    room.put(entry("n1"), entry("n2", task="t2", at=2000))
    room.controls.pause(paused_agent(AgentId("a1")))
    (first, second) = room.books.stalled(most=10)

    assert room.books.begin_mark(first)

    assert room.books.stalled(most=10) == (second,)


def test_a_row_whose_message_was_replaced_while_it_waited_can_be_taken_off_the_list(
    room: Room,
) -> None:
    """Every further message in the thread replaces the row of an agent that rests."""
    room.put(entry("n1", kind=UPDATE))
    room.controls.pause(paused_agent(AgentId("a1")))
    room.put(entry("n1", m="m2", at=2000, kind=UPDATE))

    taken = [room.books.begin_mark(one) for one in room.books.stalled(most=10)]

    assert any(taken)


def test_mail_behind_the_head_of_a_paused_conversation_is_stalled_too(room: Room) -> None:
    room.put(entry("n1"), entry("n2", at=2000))
    room.controls.pause(paused_conversation(ConversationId("a1:t1")))

    assert {one.notification for one in room.books.stalled(most=10)} == {"n1", "n2"}


def test_a_full_agent_is_not_a_stalled_one(room: Room) -> None:
    room.store.set_limits(cap=20, agent_cap=1)
    room.put(*[entry(f"n{i}", task=f"t{i}", at=i) for i in range(3)])
    room.claim()

    assert room.books.stalled(most=10) == ()


def test_an_agent_whose_rest_is_over_is_not_stalled(room: Room) -> None:
    room.put(entry("n1"), entry("n2", at=2000))
    room.attempt(SICK)
    assert len(room.books.stalled(most=10)) == 2

    room.end_agent_rest("a1")

    assert room.books.stalled(most=10) == ()


def test_many_that_are_carried_already_do_not_hide_who_is_listed(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a full list of one paused agent would stop new mail for everybody."""
    monkeypatch.setattr("dispatcher.adapters.redis.books._LOOKED_AT", 3)
    room.controls.pause(paused_agent(AgentId("a1")))
    for number in range(5):
        room.put(entry(f"n{number}", task=f"t{number}", at=number))
        (listed,) = room.books.stalled(most=10)
        assert listed.notification == f"n{number}"
        assert room.books.begin_mark(listed)
        room.client.zadd(f"{PREFIX}open", {f"n{number}:m1": number})
