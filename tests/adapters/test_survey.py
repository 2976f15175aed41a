"""Looks at the store from outside: counted once, bounded, and by the clock of Redis."""

import json
import time
from datetime import timedelta

import pytest
import redis

from dispatcher.domain.activity import ENDS_MS, by_word, quantile_ms
from dispatcher.domain.delivery import Dead, NotClaimed, Resting, Settled, Sign, Spent
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Kind
from dispatcher.domain.reply import Reply, Usage
from dispatcher.domain.standing import Level, Problem, Report, Where
from tests.house import AGENTS, ANSWERED, LONG, House, furnish

HOUR = timedelta(hours=1)


@pytest.fixture
def house(redis_client: redis.Redis) -> House:
    return furnish(redis_client)


def test_an_answer_is_counted_with_its_wait_its_run_and_its_tokens(house: House) -> None:
    house.answer(house.run(age_s=2.4), tokens=(1_000, 20))

    totals = house.survey.standing().totals
    assert totals["answered"] == totals["settled"] == totals["settled:answered"] == 1
    assert totals[f"answered:{AGENTS['engineer']}"] == 1
    assert (totals["in"], totals["out"]) == (1_000, 20)
    assert totals[f"tokens:{AGENTS['engineer']}"] == 1_020
    hour = house.survey.last_hour()
    assert 2_000 <= (quantile_ms(hour.total(), "wait", 1.0) or 0) <= 3_000
    assert (quantile_ms(hour.total(), "run", 1.0) or 0) <= 250
    assert hour.slots[-1].count("answered") + hour.slots[-2].count("answered") == 1
    assert len(hour.slots) == 60
    assert house.survey.last_day().total()["answered"] == 1
    assert len(house.survey.last_day().slots) == 96


def test_what_is_run_twice_is_counted_once(house: House) -> None:
    """A call whose answer was lost is repeated."""
    claim = house.run()
    house.store_answer(claim, text="Done.", tokens=(100, 7))
    house.store_answer(claim, text="Done.", tokens=(100, 7))
    house.store.settle(claim, ANSWERED)
    house.store.settle(claim, ANSWERED)

    totals = house.survey.standing().totals
    assert (totals["in"], totals["answered"]) == (100, 1)


def test_each_answer_of_a_turn_is_counted(house: House) -> None:
    """A turn with tools pays for every round."""
    claim = house.run()
    for number in (1, 2):
        used = Usage(input_tokens=100, output_tokens=1)
        house.store.journal(
            claim,
            Journal(stage=Stage.ANSWERED, session_key=SessionKey("s"), asks=number, answers=number,
                    reply=Reply(text="x", usage=used)),
        )  # fmt: skip

    assert house.survey.standing().totals["in"] == 200


@pytest.mark.parametrize(
    ("outcome", "failed", "error"),
    [
        (LONG, 1, "ask_failed"),
        (Resting(delay=HOUR, cause="backend_unavailable", spends=Spent.WAIT), 0, None),
        (Resting(delay=HOUR, cause="backend_redacted", spends=Spent.ATTEMPT), 1, None),
        (Dead(cause="ask_refused", sign=Sign.ANSWERS), 1, "ask_refused"),
        (Settled(outcome="skipped_task_closed"), 0, None),
    ],
)  # fmt: skip
def test_failures_in_a_row_are_remembered_until_somebody_answers(house, outcome, failed, error):
    house.end(outcome)
    asking = house.survey.standing().asking
    assert (asking.failures, asking.error) == (failed, error)

    house.answer(house.run("writer"))
    asking = house.survey.standing().asking
    assert (asking.failures, asking.error) == (0, None)
    assert asking.answered_at is not None


def test_ends_are_counted_by_their_words(house: House) -> None:
    house.end(Settled(outcome="skipped_task_closed"))
    house.end(Settled(outcome="no_reply"))
    house.die()

    totals = house.survey.standing().totals
    assert by_word(totals, "settled") == {"skipped_task_closed": 1, "no_reply": 1}
    assert by_word(totals, "dead") == {"ask_refused": 1}
    assert "answered" not in totals


def test_heartbeats_are_no_answers_to_people(house: House) -> None:
    house.end(Settled(outcome="heartbeat_ok"), kind=Kind.HEARTBEAT)

    totals = house.survey.standing().totals
    assert totals["heartbeats"] == 1
    assert "settled" not in totals
    assert not any(name.startswith("wait:") for name in totals)


@pytest.mark.parametrize(("number", "end"), list(enumerate(ENDS_MS))[:14])
def test_waits_fall_into_the_classes_that_readers_know(house: House, number: int, end: int) -> None:
    """The script and the domain must mean the same by a class."""
    house.answer(house.run(age_s=end / 1000 - 0.12))

    totals = house.survey.standing().totals
    assert totals.get(f"wait:{number}") == 1, totals


def test_mailboxes_are_listed_in_their_order(house: House) -> None:
    first = house.run("engineer")
    second = house.run("squad-lead")
    update = house.put("writer", kind=Kind.THREAD_UPDATE)
    mention = house.put("writer")
    running = house.survey.places(Where.RUNNING, most=10)
    assert [one.delivery for one in running.records] == [first.delivery, second.delivery]
    assert running.records[0].worker == "host:2"
    assert running.records[0].events[-1].word == "claimed"
    waiting = house.survey.places(Where.WAITING, most=10)
    assert [one.delivery for one in waiting.records] == [mention.delivery, update.delivery]
    assert {one.reason for one in waiting.records} == {NotClaimed.FULL}


def test_a_list_is_cut_and_counts_all(house: House) -> None:
    for _ in range(30):
        house.put()

    found = house.survey.places(Where.WAITING, most=7)
    assert (len(found.records), found.total) == (7, 30)


def test_the_line_goes_by_arrival_whoever_the_agent_is(house: House) -> None:
    put = []
    for agent in [
        "engineer",
        "writer",
        "engineer",
        "engineer",
        "squad-lead",
        "squad-lead",
        "engineer",
    ]:
        put.append(house.put(agent).delivery)
        # Those of one millisecond stand by their names.
        time.sleep(0.002)

    for most in (1, 3, 6, 10):
        found = house.survey.places(Where.WAITING, most=most)
        assert [one.delivery for one in found.records] == put[:most]
        assert found.total == len(put)


def test_a_paused_conversation_is_listed_although_it_stands_in_no_line(house: House) -> None:
    entry = house.put()
    house.controls.pause(f"conversation:{entry.conversation}")
    house.controls.pause("conversation:nobody:-")

    found = house.survey.places(Where.WAITING, most=10)
    assert [one.reason for one in found.records] == [NotClaimed.PAUSED]
    assert found.total == 1


def test_a_spoiled_mailbox_hides_nobody_else(house: House) -> None:
    """A key of a wrong type, written by somebody else."""
    spoiled, well = house.put(), house.put("writer")
    house.client.delete(f"{house.store.steps.prefix}mailbox:{spoiled.conversation}")
    house.client.set(f"{house.store.steps.prefix}mailbox:{spoiled.conversation}", "x")

    found = house.survey.places(Where.WAITING, most=10)
    assert [one.delivery for one in found.records] == [well.delivery]


def test_a_claimed_head_keeps_those_behind_it_waiting(house: House) -> None:
    """Also one that is older than the head: the turn that runs is not interrupted."""
    house.run(task="t-shared", age_s=5)
    older = house.put(task="t-shared", age_s=50)

    [record] = house.records.find(older.delivery)
    assert record.head != older.delivery
    assert record.reason is NotClaimed.HELD


def test_loads_tell_of_each_agent(house: House) -> None:
    house.run("engineer")
    house.put("writer")
    house.put("writer")
    house.controls.pause(f"agent:{AGENTS['writer']}")

    engineer, writer, lead = house.survey.loads(list(AGENTS.values()))
    assert (engineer.running, engineer.waiting) == (1, 0)
    assert (writer.running, writer.waiting) == (0, 2)
    assert writer.paused_since is not None
    assert lead.heartbeat_due is None


def test_workers_live_by_their_pulses(house: House) -> None:
    house.pulses.give("host:1", threads=8, version="1")
    house.pulses.give("host:2", threads=8, version="1")
    house.client.zadd(f"{house.store.steps.prefix}workers", {"host:1": 1})
    assert [one.name for one in house.survey.standing().live_workers()] == ["host:2"]

    # The next pulse of anybody forgets who was silent for minutes.
    house.pulses.give("host:2", threads=8, version="1")
    assert [one.name for one in house.survey.standing().workers] == ["host:2"]
    house.pulses.end("host:2")
    assert house.survey.standing().workers == ()


def test_a_report_is_read_as_it_was_written_and_expires(house: House) -> None:
    at = house.store.stats().at.replace(microsecond=0)
    problem = Problem(text="x", remedy="y", level=Level.DEGRADED, runbook="z")
    report = Report(at=at, version="1", problems=(problem,), polled_at=None)
    house.pulses.report(report)

    assert house.survey.standing().report == report
    key = f"{house.store.steps.prefix}report"
    assert 0 < house.client.pttl(key) <= 30_000
    for broken in (b"", b"{}", b"nonsense", json.dumps({"at_ms": "x"}).encode(), b"[]"):
        house.client.set(key, broken)
        assert house.survey.standing().report is None


def test_slots_expire(house: House) -> None:
    house.answer(house.run())
    names = [key for key in house.client.scan_iter() if b":counts:" in key]

    assert len(names) >= 2
    assert all(house.client.ttl(name) > 0 for name in names)


@pytest.mark.parametrize("what", ["all", f"agent:{AGENTS['engineer']}"])
def test_nobody_waits_for_what_was_paused(house: House, what: str) -> None:
    """Or every pause would look like a stall after a while."""
    entry = house.put()
    house.client.hset(f"{house.store.steps.prefix}mailbox:{entry.conversation}", "joined_at", 1)
    assert house.store.stats().oldest_wait() > HOUR

    house.controls.pause(what)

    stats = house.store.stats()
    assert stats.oldest_wait() == timedelta(0)
    assert sum(stats.waiting) == 1


def test_a_wait_in_line_begins_when_the_line_is_joined(house: House) -> None:
    """A delivery that rested for long, or stood behind another, has not waited for a slot."""
    claim = house.run()
    house.client.hset(f"{house.store.steps.prefix}delivery:{claim.delivery}", "put_at", 1)
    house.store.settle(
        claim, Resting(delay=timedelta(0), cause="ask_failed", spends=Spent.ATTEMPT)
    )  # fmt: skip

    assert house.store.stats().oldest_wait() < timedelta(seconds=5)


def test_a_conversation_of_thousands_is_told_of_in_part(house: House) -> None:
    entry = house.put(task="t-shared")
    for _ in range(9):
        house.put(task="t-shared")

    assert len(house.records.find(entry.conversation, most=4)) == 4
    assert len(house.records.find(entry.conversation)) == 10
