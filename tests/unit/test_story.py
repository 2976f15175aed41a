"""What people are told about a delivery: what happened, where it is, what happens next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.domain.delivery import NotClaimed, State, entry_of
from dispatcher.domain.ids import DeliveryId
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.reply import Reply, ToolCall
from dispatcher.domain.story import Event, Record, next_step, sentence, whereabouts
from dispatcher.domain.world import AgentRest, Circuit, CircuitState, World
from tests.samples import notification

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENTRY = entry_of(notification())
CALM = World(at=NOON, circuit=None, stop=None, rests=(), paused=())
QUEUED = Record(
    delivery=ENTRY.delivery,
    at=NOON,
    entry=ENTRY,
    state=State.QUEUED,
    reason=NotClaimed.WAITING,
    head=ENTRY.delivery,
    in_mailbox=1,
)


def record(**changes) -> Record:
    return replace(QUEUED, **changes)


@pytest.mark.parametrize(
    ("word", "detail", "told"),
    [
        ("put", "", "put into its mailbox"),
        ("claimed", "host:1", "claimed by worker host:1"),
        ("asked", "2", "ask 2"),
        ("resting", "ask_failed 1500", "ask_failed, tried again after 1.5 s"),
        ("resting", "gateway_unavailable 0", "the attempt ended: gateway_unavailable"),
        ("settled", "answered", "settled: answered"),
        ("something_new", "", "something_new"),
    ],
)
def test_every_step_has_words(word: str, detail: str, told: str) -> None:
    assert told in sentence(Event(at=NOON, word=word, detail=detail))


def test_braces_in_a_detail_are_only_text() -> None:
    assert "{0} {x}" in sentence(Event(at=NOON, word="claimed", detail="{0} {x}"))


def test_a_delivery_that_waits_for_the_gateway_says_since_when_and_until_when() -> None:
    circuit = Circuit(
        state=CircuitState.OPEN, cause="gateway_unavailable", since=NOON, failures=3,
        probe_at=NOON + timedelta(seconds=8),
    )  # fmt: skip

    told = next_step(record(reason=NotClaimed.CIRCUIT), replace(CALM, circuit=circuit))

    assert "12:00:00" in told
    assert "12:00:08" in told
    assert "gateway_unavailable" in told


def test_a_delivery_of_a_resting_agent_says_how_long_it_rests() -> None:
    rest = AgentRest(
        agent=ENTRY.agent, cause="agent_unavailable", since=NOON, until=NOON + timedelta(minutes=2)
    )

    told = next_step(record(reason=NotClaimed.AGENT_RESTING), replace(CALM, rests=(rest,)))

    assert "12:02:00" in told


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (NotClaimed.PAUSED, "dispatcher resume"),
        (NotClaimed.CREDENTIALS, "Convex rejects us"),
        (NotClaimed.AGENT_FULL, "as many turns as it may"),
        (NotClaimed.FULL, "As many turns run"),
        (NotClaimed.WAITING, "are workers running"),
    ],
)
def test_every_reason_to_wait_has_words(reason: NotClaimed, told: str) -> None:
    assert told in next_step(record(reason=reason), CALM)


def test_a_delivery_behind_another_one_names_it() -> None:
    head = DeliveryId("n0:m0")

    assert head in next_step(record(head=head, reason=NotClaimed.HELD), CALM)


def test_a_dead_letter_says_what_a_person_can_do() -> None:
    dead = record(state=State.DEAD, cause="ask_failed", attempts=5)

    assert "ask_failed, after 6 attempts" in whereabouts(dead)
    assert f"dead-letters revive {ENTRY.delivery}" in next_step(dead, CALM)


@pytest.mark.parametrize(
    ("journal", "told"),
    [
        (None, "cannot be read"),
        (Journal(), "just begun"),
        (Journal(stage=Stage.ASKED, asks=2), "ask 2"),
        (
            Journal(
                stage=Stage.TOOLS, rounds=1,
                reply=Reply(text="", tool_calls=(ToolCall(call_id="c", name="x", arguments=""),)),
            ),
            "tool calls",
        ),
        (Journal(stage=Stage.POSTING, reply=Reply(text="done")), "written back"),
    ],
)  # fmt: skip
def test_a_running_turn_tells_its_step_and_its_worker(journal: Journal | None, told: str) -> None:
    claimed = record(state=State.CLAIMED, worker="host:7", claimed_at=NOON, journal=journal)

    assert "host:7" in whereabouts(claimed)
    assert told in whereabouts(claimed)


def test_what_is_over_says_how_it_ended() -> None:
    over = Record(
        delivery=ENTRY.delivery,
        at=NOON,
        events=(Event(at=NOON, word="settled", detail="answered"),),
    )

    assert "settled: answered" in whereabouts(over)
    assert next_step(over, CALM) == "Nothing more happens."
