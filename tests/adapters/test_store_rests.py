"""An agent that cannot run rests; others go on, and its mail waits in line for it."""

from datetime import timedelta

import pytest
import redis

from dispatcher.domain import errors
from dispatcher.domain.delivery import Claim, NotClaimed, Resting
from dispatcher.domain.retry import Bounds, decide
from tests.adapters.store_room import ANSWERED, GIVEN_BACK, PREFIX, STORED, Room, entry, make_room

BOUNDS = Bounds(
    max_attempts=6, backoff_base=timedelta(seconds=5), backoff_max=timedelta(seconds=300)
)
UNKNOWN = errors.AgentUnavailable("HTTP 400: Unknown agent")
UNPAID = errors.AgentUnavailable("HTTP 402", rest=timedelta(minutes=10))
THROTTLED = errors.AgentUnavailable("HTTP 429", is_throttled=True)


@pytest.fixture
def room(redis_client: redis.Redis) -> Room:
    """One agent has mail in four conversations, another one in two."""
    room = make_room(redis_client)
    room.put(*[entry(f"n{i}", agent="sick", task=f"t{i}", at=i) for i in range(1, 5)])
    room.put(*[entry(f"w{i}", agent="well", task=f"t{i}", at=9 + i) for i in range(1, 3)])
    return room


def fail(room: Room, claim: Claim, error: errors.AgentUnavailable = UNKNOWN) -> None:
    outcome = decide(error, claim, BOUNDS)
    assert isinstance(outcome, Resting)
    room.store.settle(claim, outcome)


def minutes(duration: timedelta) -> float:
    return round(duration / timedelta(minutes=1), 1)


def test_while_an_agent_rests_nobody_asks_it_and_others_are_asked(room: Room) -> None:
    fail(room, room.claim("sick:t1"))

    assert {room.claim().entry.agent for _ in range(2)} == {"well"}
    assert room.refusal("sick:t2") is NotClaimed.AGENT_RESTING


def test_only_those_who_can_be_asked_are_rung(room: Room) -> None:
    fail(room, room.claim("sick:t1"))

    assert set(room.store.sweep().to_ring) == {"well:t1", "well:t2"}
    assert room.store.put([entry("n9", agent="sick", task="t9", at=99)]).to_ring == ()


def test_the_mail_of_a_resting_agent_stands_in_line_without_a_rest_of_its_own(room: Room) -> None:
    fail(room, room.claim("sick:t1"))

    stats = room.store.stats()

    assert (stats.resting, sum(stats.waiting), stats.open) == (0, 6, 6)


def test_a_rest_spends_no_attempt(room: Room) -> None:
    fail(room, room.claim("sick:t1"))
    room.end_agent_rest("sick")

    claim = room.claim("sick:t1")

    assert (claim.delivery, claim.attempts, claim.waits) == ("n1:m1", 0, 1)


def test_after_the_rest_its_mail_goes_in_the_order_in_which_it_came(room: Room) -> None:
    fail(room, room.claim("sick:t1"))
    assert [room.claim().entry.agent for _ in range(2)] == ["well", "well"]
    room.end_agent_rest("sick")

    order = [room.claim("sick:t4").delivery for _ in range(4)]

    assert order == ["n1:m1", "n2:m1", "n3:m1", "n4:m1"]


def test_the_mail_of_one_conversation_stays_in_order(room: Room) -> None:
    room.put(entry("n7", agent="sick", task="t1", at=7))
    fail(room, room.claim("sick:t1"))
    room.end_agent_rest("sick")

    first = room.claim("sick:t1")

    assert first.delivery == "n1:m1"
    room.store.settle(first, ANSWERED)
    while (claim := room.claim("sick:t1")).conversation != "sick:t1":
        assert claim.delivery != "n7:m1"
    assert claim.delivery == "n7:m1"


def test_rests_double_from_one_minute_up_to_half_an_hour(room: Room) -> None:
    lengths = []
    for _ in range(8):
        claim = room.claim("sick:t1")
        while claim.entry.agent != "sick":
            claim = room.claim("sick:t1")
        fail(room, claim)
        lengths.append(minutes(room.rests_for("sick")))
        room.end_agent_rest("sick")

    assert lengths == [1, 2, 4, 8, 16, 30, 30, 30]


def test_several_turns_that_fail_together_count_once(room: Room) -> None:
    running = [room.claim() for _ in range(4)]
    for claim in running:
        fail(room, claim)
    assert minutes(room.rests_for("sick")) == 1
    room.end_agent_rest("sick")

    while (claim := room.claim()).entry.agent != "sick":
        pass
    fail(room, claim)

    assert minutes(room.rests_for("sick")) == 2


def test_turns_that_fail_together_wait_for_the_longest_wish(room: Room) -> None:
    unknown, unpaid, after = (room.claim() for _ in range(3))
    fail(room, unknown)
    fail(room, unpaid, UNPAID)
    fail(room, after)

    assert minutes(room.rests_for("sick")) == 10


def test_an_unpaid_provider_is_left_alone_for_ten_minutes(room: Room) -> None:
    fail(room, room.claim(), UNPAID)

    assert minutes(room.rests_for("sick")) == 10


def test_a_throttled_provider_is_left_alone_for_the_usual_back_off(room: Room) -> None:
    lengths = []
    for _ in range(8):
        while (claim := room.claim()).entry.agent != "sick":
            pass
        fail(room, claim, THROTTLED)
        lengths.append(round(room.rests_for("sick").total_seconds()))
        room.end_agent_rest("sick")

    assert lengths == [5, 10, 20, 40, 80, 160, 300, 300]


def test_an_answer_of_a_turn_that_ran_on_ends_the_rest(room: Room) -> None:
    running, failing = room.claim(), room.claim()
    fail(room, failing)

    room.store.journal(running, STORED)

    assert room.rest_of("sick") is None
    assert room.claim().entry.agent == "sick"


def test_after_an_answer_the_next_rest_is_short_again(room: Room) -> None:
    for _ in range(3):
        while (claim := room.claim()).entry.agent != "sick":
            pass
        fail(room, claim)
        room.end_agent_rest("sick")
    room.answer(room.claim())

    fail(room, room.claim())

    assert minutes(room.rests_for("sick")) == 1


def test_an_agent_that_was_well_for_long_starts_with_a_short_rest(room: Room) -> None:
    """The growth is forgotten by itself, half an hour after the rest was over."""
    fail(room, room.claim())
    kept_ms = room.client.pttl("mission-control:{acc}:rest:sick")

    assert timedelta(milliseconds=kept_ms) <= timedelta(minutes=32)


def test_a_stored_answer_of_a_resting_agent_is_written_back(room: Room) -> None:
    paid, failing = room.claim(), room.claim()
    room.store_answer(paid)
    assert room.rest_of("sick") is None
    fail(room, failing)

    assert room.store.sweep().to_ring[0] == paid.conversation
    assert room.claim().delivery == paid.delivery


def test_the_world_tells_who_rests_why_and_until_when(room: Room) -> None:
    fail(room, room.claim())

    rest = room.rest_of("sick")

    assert rest is not None
    assert rest.cause == "agent_unavailable"
    assert rest.until - rest.since == timedelta(minutes=1)


def test_a_claim_given_back_by_a_resting_agents_worker_waits_with_the_others(room: Room) -> None:
    given_back, failing = room.claim(), room.claim()
    fail(room, failing)

    room.store.settle(given_back, GIVEN_BACK)

    assert room.refusal_of(given_back.conversation) is NotClaimed.AGENT_RESTING


@pytest.mark.parametrize("days", [1, 2])
def test_after_a_day_each_failure_spends_an_attempt(room: Room, days: int) -> None:
    claim = room.claim()
    old = claim.evolve(put_at=claim.claimed_at - timedelta(days=days))

    outcome = decide(UNKNOWN, old, BOUNDS)

    assert isinstance(outcome, Resting)
    assert outcome.spends.value == "attempts"
    room.store.settle(claim, outcome)
    assert room.rest_of("sick") is not None


def test_the_longest_wait_is_told_whoever_stands_first(redis_client: redis.Redis) -> None:
    """A delivery that was tried before stands early in its line, and has waited since a moment ago."""
    room = make_room(redis_client)
    room.put(entry("n1"))
    room.put(entry("n2", agent="a2"))
    hour_ago = room.store.stats().at - timedelta(hours=1)
    joined_at = round(hour_ago.timestamp() * 1000)
    room.client.hset(f"{PREFIX}mailbox:a2:t1", "joined_at", joined_at)

    assert timedelta(minutes=59) < room.store.stats().oldest_wait() < timedelta(minutes=61)
