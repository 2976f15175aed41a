"""The circuit of the gateway: who waits for it, one trial at a time, and what closes it."""

from datetime import timedelta

import pytest
import redis

from dispatcher.domain.delivery import Blame, Blamed, Dead, NotClaimed, Resting, Sign, Spent
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.world import CircuitState
from dispatcher.ports import Put
from tests.adapters.store_room import (
    ANSWERED,
    FAILED,
    GIVEN_BACK,
    PREFIX,
    REFUSED,
    STORED,
    TIMED_OUT,
    Room,
    crowded_room,
    entry,
    gateway_away,
    grow_old,
    make_room,
)

ASKED = Journal(stage=Stage.ASKED, asks=1)
SPARED = Resting(delay=timedelta(0), cause="ask_timed_out", spends=Spent.NOTHING, sign=Sign.UNCLEAR)
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


@pytest.fixture
def room(redis_client: redis.Redis) -> Room:
    return crowded_room(redis_client)


@pytest.fixture
def open_room(room: Room) -> Room:
    """The first attempt has met a gateway that is away."""
    room.attempt(gateway_away())
    return room


@pytest.fixture
def trial_room(open_room: Room) -> Room:
    """The gateway was probed and is well."""
    open_room.store.admit(is_well=True)
    return open_room


# Open


def test_while_the_gateway_is_away_nobody_asks(open_room: Room) -> None:
    assert open_room.refusal("a2:t2") is NotClaimed.CIRCUIT
    assert open_room.refusal() in set(NotClaimed)
    assert open_room.open_circuit().state is CircuitState.OPEN


def test_the_attempt_that_found_out_waits_in_line_and_spends_no_attempt(trial_room: Room) -> None:
    assert trial_room.store.stats().resting == 0

    claim = trial_room.claim()

    assert claim.entry == entry("n1", agent="a1", at=1)
    assert (claim.attempts, claim.waits) == (0, 1)


def test_nobody_is_rung_while_the_circuit_is_open(open_room: Room) -> None:
    assert open_room.store.put([entry("n9", task="t9")]) == Put(added=1, to_ring=())
    assert open_room.store.sweep().to_ring == ()


def test_running_turns_go_on_and_their_answers_count(room: Room) -> None:
    running = room.claim()
    room.attempt(gateway_away())

    room.answer(running)

    assert room.store.stats().open == 5
    assert room.circuit is not None, "an answer that was on its way proves nothing"


def test_stored_answers_pass_an_open_circuit(room: Room) -> None:
    room.store_answer(room.claim())
    room.open_by_hand()

    written = room.claim("a3:t3")
    room.store.settle(written, ANSWERED)

    assert written.delivery == "n1:m1"
    assert room.store.stats().open == 5
    assert room.refusal("a2:t2") is NotClaimed.CIRCUIT


def test_stored_answers_are_rung_for_while_the_circuit_is_open(room: Room) -> None:
    room.store_answer(room.claim())
    room.open_by_hand()

    assert room.store.sweep().to_ring == ("a1:t1",)


def test_several_failures_of_one_outage_count_once(room: Room) -> None:
    running = [room.claim() for _ in range(4)]
    for claim in running:
        room.store.settle(claim, gateway_away())

    assert room.open_circuit().failures == 1
    assert room.wait_for_probe() <= timedelta(seconds=1)


def test_the_wish_of_the_gateway_is_obeyed(room: Room) -> None:
    room.attempt(gateway_away(wish_s=120))

    assert timedelta(seconds=115) < room.wait_for_probe() <= timedelta(seconds=120)


def test_a_longer_wish_of_another_ask_is_obeyed_too_and_a_shorter_one_changes_nothing(
    room: Room,
) -> None:
    first, second, third = (room.claim() for _ in range(3))
    room.store.settle(first, gateway_away())
    room.store.settle(second, gateway_away(wish_s=60))
    room.store.settle(third, gateway_away(wish_s=5))

    assert timedelta(seconds=55) < room.wait_for_probe() <= timedelta(seconds=60)


# Probes


def test_a_gateway_that_is_away_for_long_is_noticed_soon_when_it_is_back(open_room: Room) -> None:
    """A probe is a mere look: only failed asks make everybody wait longer and longer."""
    for _ in range(8):
        assert open_room.store.admit(is_well=False) == ()

    assert timedelta(seconds=1) < open_room.wait_for_probe() <= timedelta(seconds=2)
    assert open_room.open_circuit().state is CircuitState.OPEN


def test_one_probes_at_a_time_and_not_before_it_is_time(open_room: Room) -> None:
    assert not open_room.store.begin_probe()
    open_room.make_probe_due()

    assert open_room.store.begin_probe()
    assert not open_room.store.begin_probe()


def test_a_prober_that_dies_is_followed_by_another_one(open_room: Room) -> None:
    open_room.make_probe_due()
    assert open_room.store.begin_probe()
    assert timedelta(seconds=5) < open_room.wait_for_probe() <= timedelta(seconds=6)

    open_room.make_probe_due()

    assert open_room.store.begin_probe()


def test_nobody_probes_a_gateway_whose_circuit_is_not_open(trial_room: Room) -> None:
    trial_room.make_probe_due()

    assert not trial_room.store.begin_probe()


def test_the_one_who_may_try_is_rung_at_once(open_room: Room) -> None:
    assert len(open_room.store.admit(is_well=True)) == 1


def test_a_probe_closes_nothing_by_itself(open_room: Room) -> None:
    open_room.store.admit(is_well=True)

    assert open_room.open_circuit().state is CircuitState.TRIAL


def test_a_probe_of_a_closed_circuit_changes_nothing(room: Room) -> None:
    room.store.admit(is_well=False)
    room.store.admit(is_well=True)

    assert room.circuit is None


# Trial


def test_one_trial_is_let_through_at_a_time(trial_room: Room) -> None:
    assert len(trial_room.store.sweep().to_ring) == 1
    trial_room.claim()

    assert trial_room.refusal("a2:t2") is NotClaimed.CIRCUIT
    assert trial_room.store.sweep().to_ring == ()


def test_an_answer_to_the_trial_closes_the_circuit_at_once(trial_room: Room) -> None:
    trial = trial_room.claim()

    trial_room.store.journal(trial, STORED)

    assert trial_room.circuit is None
    assert len({trial_room.claim().conversation for _ in range(5)}) == 5


def test_when_the_circuit_closes_everybody_is_rung_within_a_sweep(trial_room: Room) -> None:
    trial_room.answer(trial_room.claim())

    rung = set(trial_room.store.sweep().to_ring)

    assert rung == {f"a{i}:t{i}" for i in range(2, 7)}


def test_a_trial_that_meets_a_gateway_away_opens_the_circuit_again_for_longer(
    trial_room: Room,
) -> None:
    trial_room.attempt(gateway_away())

    circuit = trial_room.open_circuit()
    assert (circuit.state, circuit.failures) == (CircuitState.OPEN, 2)
    assert timedelta(seconds=1) < trial_room.wait_for_probe() <= timedelta(seconds=2)


def test_a_trial_that_times_out_opens_the_circuit_again_for_longer(trial_room: Room) -> None:
    trial_room.attempt(TIMED_OUT)

    circuit = trial_room.open_circuit()
    assert (circuit.state, circuit.failures) == (CircuitState.OPEN, 2)


@pytest.mark.parametrize("outcome", [FAILED, REFUSED, AGENT_GONE])
def test_a_gateway_that_answers_its_trial_with_an_error_is_there(
    trial_room: Room, outcome: Resting | Dead
) -> None:
    trial_room.attempt(outcome)

    assert trial_room.circuit is None


@pytest.mark.parametrize("outcome", [GIVEN_BACK, ANSWERED])
def test_a_trial_that_asked_nothing_makes_way_for_the_next_one(
    trial_room: Room, outcome: Resting
) -> None:
    """Its delivery was skipped, its worker stops, or the backend failed before the ask."""
    trial_room.attempt(outcome)

    assert trial_room.open_circuit().state is CircuitState.TRIAL
    trial_room.claim()
    assert trial_room.refusal() in {NotClaimed.CIRCUIT, NotClaimed.EMPTY}


def test_a_trial_lost_with_its_worker_ends_with_its_claim(trial_room: Room) -> None:
    lost = trial_room.claim()

    trial_room.lose_worker(lost)

    assert trial_room.open_circuit().state is CircuitState.TRIAL
    next_trial = trial_room.claim()
    others = {f"a{number}:t{number}" for number in range(1, 7)} - {next_trial.conversation}
    assert {trial_room.refusal(other) for other in others} == {NotClaimed.CIRCUIT}


def test_a_trial_that_is_neither_answered_nor_refused_for_long_was_taken(trial_room: Room) -> None:
    """One hung conversation must not keep everybody waiting until its time-out."""
    trial = trial_room.claim()
    trial_room.store.journal(trial, ASKED)
    assert trial_room.store.sweep().to_ring == ()
    grow_old(trial_room, timedelta(seconds=11))

    assert len(trial_room.store.sweep().to_ring) == 5

    assert trial_room.circuit is None
    trial_room.store.settle(trial, TIMED_OUT)
    assert trial_room.circuit is None


def test_a_trial_that_has_asked_nothing_yet_was_not_taken(trial_room: Room) -> None:
    """Its worker is dead or waits for the backend: nobody knows how the gateway is."""
    trial = trial_room.claim()
    trial_room.client.hset(f"{PREFIX}mailbox:{trial.conversation}", "claimed_at", 1)

    trial_room.store.sweep()

    assert trial_room.open_circuit().state is CircuitState.TRIAL


def test_a_trial_after_another_one_has_its_own_time(trial_room: Room) -> None:
    first = trial_room.claim()
    trial_room.store.journal(first, ASKED)
    grow_old(trial_room, timedelta(seconds=11))
    trial_room.store.settle(first, GIVEN_BACK)
    trial_room.claim()

    trial_room.store.sweep()

    assert trial_room.open_circuit().state is CircuitState.TRIAL


def test_an_agent_that_is_alone_is_tried_again(redis_client: redis.Redis) -> None:
    room = make_room(redis_client)
    room.put(*[entry(f"n{i}", agent="only", task=f"t{i}", at=i) for i in range(1, 4)])
    room.open_by_hand()
    for _ in range(3):
        room.store.admit(is_well=True)
        room.attempt(TIMED_OUT)

    assert room.open_circuit().failures == 4


def test_the_failure_of_an_older_ask_does_not_end_the_trial(room: Room) -> None:
    older = room.claim()
    room.attempt(gateway_away())
    room.store.admit(is_well=True)
    trial = room.claim()

    room.store.settle(older, gateway_away())

    assert room.open_circuit().state is CircuitState.TRIAL
    room.answer(trial)
    assert room.circuit is None


def test_a_stored_answer_is_no_trial(room: Room) -> None:
    room.store_answer(room.claim())
    room.open_by_hand()
    room.store.admit(is_well=True)

    written = room.claim()
    trial = room.claim()
    room.store.settle(written, ANSWERED)

    assert (written.delivery, trial.delivery) == ("n1:m1", "n2:m1")
    assert room.open_circuit().state is CircuitState.TRIAL
    assert room.refusal("a3:t3") is NotClaimed.CIRCUIT


def test_a_session_whose_connection_broke_is_left_alone_until_ten_seconds_after_the_recovery(
    room: Room,
) -> None:
    """A gateway that crashed runs the interrupted turn again, about 5 s after it is ready."""
    broken = room.claim()
    room.store.settle(
        broken,
        Resting(
            delay=timedelta(milliseconds=1), cause="ask_lost", spends=Spent.ATTEMPT,
            sign=Sign.UNCLEAR,
        ),
    )  # fmt: skip
    room.attempt(gateway_away())
    room.store.admit(is_well=True)
    trial = room.claim("a2:t2")
    room.store.sweep()

    room.answer(trial)
    room.store.sweep()

    others = [room.claim().conversation for _ in range(4)]
    assert broken.conversation not in {trial.conversation, *others}
    assert room.refusal(broken.conversation) is NotClaimed.RESTING
