"""The fuse: many deaths of one cause are the gateway's fault, and open its circuit instead."""

from datetime import timedelta

import pytest
import redis

from dispatcher.domain.delivery import Blame, Blamed, Dead, NotClaimed, Resting, Sign, Spent
from dispatcher.domain.ids import DeliveryId
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.world import CircuitState
from tests.adapters.store_room import (
    FAILED,
    PREFIX,
    TIMED_OUT,
    Room,
    crowded_room,
    entry,
    grow_old,
    make_room,
)

ASKED = Journal(stage=Stage.ASKED, asks=1)
FEW_MS = timedelta(milliseconds=300)
AGENT_GONE = Resting(
    delay=timedelta(0),
    cause="agent_unavailable",
    spends=Spent.WAIT,
    blame=Blame(
        party=Blamed.AGENT,
        wish=timedelta(minutes=10),
        first=timedelta(minutes=1),
        longest=timedelta(minutes=30),
    ),
    sign=Sign.ANSWERS,
)
SPARED = Resting(delay=timedelta(0), cause="ask_timed_out", spends=Spent.NOTHING, sign=Sign.UNCLEAR)


@pytest.fixture
def room(redis_client: redis.Redis) -> Room:
    return crowded_room(redis_client)


def fuse(room: Room, cause: str = "ask_timed_out") -> None:
    """Let deliveries of three agents end by the same cause within a minute."""
    for _ in range(2):
        claim = room.claim()
        assert room.store.may_die(claim, cause)
        room.store.settle(claim, Dead(cause=cause, sign=Sign.UNCLEAR))
    claim = room.claim()
    assert not room.store.may_die(claim, cause)
    room.store.settle(claim, SPARED)


def test_the_third_mailbox_that_would_die_of_one_cause_opens_the_circuit_instead(
    room: Room,
) -> None:
    fuse(room)

    stats = room.store.stats()
    assert (stats.dead, stats.open) == (2, 4)
    assert room.open_circuit().cause == "fuse_ask_timed_out"
    assert room.refusal("a4:t4") is NotClaimed.CIRCUIT


def test_a_spared_delivery_keeps_its_attempts(room: Room) -> None:
    fuse(room)
    room.store.admit(is_well=True)

    assert room.claim().delivery == "n3:m1"


def test_one_mailbox_counts_once_however_often_it_asks(room: Room) -> None:
    claim = room.claim()

    assert [room.store.may_die(claim, "ask_failed") for _ in range(5)] == [True] * 5
    assert room.circuit is None


def test_deaths_of_different_causes_do_not_add_up(room: Room) -> None:
    for cause in ("ask_failed", "ask_failed", "ask_lost", "ask_lost"):
        assert room.store.may_die(room.claim(), cause)

    assert room.circuit is None


def test_deaths_that_are_a_minute_old_are_forgotten(room: Room) -> None:
    for _ in range(2):
        assert room.store.may_die(room.claim(), "ask_failed")
    minute_old = room.store.stats().at - timedelta(seconds=61)
    for name in room.client.zrange(f"{PREFIX}deaths:ask_failed", 0, -1):
        room.client.zadd(
            f"{PREFIX}deaths:ask_failed", {name: round(minute_old.timestamp() * 1000)}
        )  # fmt: skip

    assert room.store.may_die(room.claim(), "ask_failed")


@pytest.mark.parametrize("outcome", [FAILED, TIMED_OUT])
def test_a_fuse_is_closed_by_an_answer_and_by_no_error(room: Room, outcome: Resting) -> None:
    """The gateway was there all the time; only its answers were deadly."""
    fuse(room, "ask_failed")
    room.store.admit(is_well=True)
    room.attempt(outcome)
    assert room.open_circuit().state is CircuitState.OPEN

    room.store.admit(is_well=True)
    room.answer(room.claim())

    assert room.circuit is None


def test_a_fuse_whose_trial_meets_an_agent_away_is_probed_again_soon(room: Room) -> None:
    """The agent may rest for ten minutes; the gateway's other agents must not."""
    fuse(room, "ask_failed")
    room.store.admit(is_well=True)

    room.attempt(AGENT_GONE)

    assert room.open_circuit().state is CircuitState.OPEN
    assert room.wait_for_probe() <= timedelta(seconds=30)


def test_an_agent_that_hangs_in_many_conversations_does_not_stop_the_others(
    redis_client: redis.Redis,
) -> None:
    """One slow or broken agent slows nobody else: the trial would go to it again and again."""
    room = make_room(redis_client)
    room.put(*[entry(f"n{i}", agent="hung", task=f"t{i}", at=i) for i in range(1, 6)])
    for _ in range(3):
        claim = room.claim()
        if room.store.may_die(claim, "ask_timed_out"):
            room.store.settle(claim, Dead(cause="ask_timed_out", sign=Sign.UNCLEAR))
        else:
            room.store.settle(claim, SPARED)
    room.put(entry("n9", agent="well", task="t9", at=9))

    assert room.claim("well:t9").entry.agent == "well"


def test_an_agent_whose_deliveries_would_all_die_rests_instead(redis_client: redis.Redis) -> None:
    room = make_room(redis_client)
    room.put(*[entry(f"n{i}", agent="hung", task=f"t{i}", at=i) for i in range(1, 6)])
    claims = [room.claim() for _ in range(3)]

    assert [room.store.may_die(claim, "ask_failed") for claim in claims] == [True, True, False]

    assert room.circuit is None
    rest = room.rest_of("hung")
    assert rest is not None
    assert rest.until - rest.since == timedelta(minutes=1)


def test_deaths_of_one_agent_among_those_of_others_open_the_circuit(room: Room) -> None:
    room.put(entry("n8", agent="a1", task="t8", at=0))
    claims = {claim.delivery: claim for claim in (room.claim() for _ in range(7))}
    dying = [claims[DeliveryId(name)] for name in ("n1:m1", "n2:m1", "n8:m1")]

    assert [room.store.may_die(claim, "ask_failed") for claim in dying] == [True, True, False]

    assert room.open_circuit().cause == "fuse_ask_failed"


def test_after_a_trial_that_timed_out_another_agent_is_tried(redis_client: redis.Redis) -> None:
    """Else an agent that hangs in many conversations keeps the gateway shut for all others."""
    room = make_room(redis_client)
    room.put(*[entry(f"n{i}", agent="hung", task=f"t{i}", at=i) for i in range(1, 4)])
    room.put(entry("n9", agent="well", task="t9", at=9))
    room.open_by_hand()
    room.store.admit(is_well=True)
    room.attempt(TIMED_OUT)
    room.store.admit(is_well=True)

    assert room.claim().entry.agent == "well"


def test_after_the_fuse_a_silent_trial_proves_nothing(room: Room) -> None:
    fuse(room)
    room.store.admit(is_well=True)
    room.store.journal(room.claim(), ASKED)
    grow_old(room, timedelta(seconds=11))

    room.store.sweep()

    assert room.open_circuit().state is CircuitState.TRIAL
    assert room.refusal("a6:t6") is NotClaimed.CIRCUIT
