"""Dead letters: kept with their reason, taken back, thrown away, and never too many."""

from datetime import timedelta

import pytest
import redis

from dispatcher.domain.delivery import Claim, Dead
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import DeliveryId
from dispatcher.domain.journal import Journal, Stage, dump, load
from dispatcher.domain.notification import Kind
from dispatcher.domain.reply import Reply, ToolCall
from dispatcher.domain.tools import ToolResult
from dispatcher.ports import Holding
from tests.adapters.store_room import (
    ANSWERED,
    FAILED,
    HOUR_OF_REST,
    PREFIX,
    STORED,
    Room,
    entry,
    make_room,
)

DEAD = Dead(cause="ask_failed")
FIRST = DeliveryId("n1:m1")
CALLED = STORED.evolve(
    stage=Stage.ASKED,
    asks=2,
    reply=Reply(text="", tool_calls=(ToolCall(call_id="c1", name="task_create", arguments="{}"),)),
    results=(ToolResult(call_id="c1", name="task_create", text='{"success": true}'),),
    calls_begun=1,
    rounds=1,
)


@pytest.fixture
def room(redis_client: redis.Redis) -> Room:
    return make_room(redis_client)


def let_die(room: Room, *entries, journal: Journal | None = None) -> None:
    """Put deliveries, and let each die of its only attempt."""
    for one in entries:
        room.put(one)
        claim = room.claim(one.conversation)
        if journal is not None:
            room.store.journal(claim, journal)
        room.store.settle(claim, DEAD)


# Kept


def test_a_dead_letter_keeps_cause_attempts_and_journal(room: Room) -> None:
    room.put(entry("n1"))
    room.attempt(FAILED)
    claim = room.claim()
    dying = STORED.evolve(stage=Stage.DYING, cause="backend_refused")
    room.store.journal(claim, dying)
    room.store.settle(claim, Dead(cause="backend_refused"))

    letter = room.controls.dead_letter(FIRST)

    assert letter is not None
    assert (letter.cause, letter.attempts, letter.entry) == ("backend_refused", 1, entry("n1"))
    assert load(letter.journal_text) == dying
    assert letter.put_at <= letter.died_at


def test_dead_letters_are_read_the_newest_first(room: Room) -> None:
    let_die(room, *[entry(f"n{i}", task=f"t{i}", at=9 - i) for i in range(4)])
    for number in range(4):
        room.client.zadd(f"{PREFIX}dead", {f"n{number}:m1": number})

    letters = list(room.controls.dead_letters())

    assert [letter.entry.notification for letter in letters] == ["n3", "n2", "n1", "n0"]


def test_a_living_delivery_is_no_dead_letter(room: Room) -> None:
    room.put(entry("n1"))

    assert room.controls.dead_letter(FIRST) is None
    assert not room.controls.revive(FIRST)
    assert not room.controls.discard(FIRST)
    assert room.claim().delivery == FIRST


# The limit


def test_beyond_the_limit_the_oldest_letter_goes_and_this_is_told(redis_client) -> None:
    room = make_room(redis_client, dead_limit=2)
    let_die(room, entry("n1"), entry("n2"))
    room.put(entry("n3"))
    claim = room.claim()

    done = room.store.settle(claim, DEAD)

    assert done.dropped == 1
    assert {letter.delivery for letter in room.controls.dead_letters()} == {"n2:m1", "n3:m1"}


def test_a_letter_that_had_to_go_leaves_only_tombstones(redis_client) -> None:
    room = make_room(redis_client, dead_limit=1)
    let_die(room, entry("n1"))
    let_die(room, entry("n2"))

    mine = {key for key in room.left() if "n1" in key}

    assert mine == {"row:n1", "story:n1:m1"}
    assert all(room.client.pttl(f"{PREFIX}{key}") > 0 for key in mine)
    assert room.store.put([entry("n1")]).added == 0


def test_a_row_of_a_kept_letter_is_remembered_as_long_as_the_letter(room: Room) -> None:
    let_die(room, entry("n1"))

    assert room.client.pttl(f"{PREFIX}row:n1") == -1
    assert room.books.audit([entry("n1")]).holdings == (Holding.DEAD,)


def test_a_lowered_limit_drops_all_that_are_too_many_at_the_next_death(redis_client) -> None:
    let_die(make_room(redis_client), *[entry(f"n{i}", task=f"t{i}", at=i) for i in range(6)])
    room = make_room(redis_client, dead_limit=2)
    room.put(entry("n9", at=9))

    done = room.store.settle(room.claim(), DEAD)

    assert done.dropped == 5
    assert room.store.stats().dead == 2


# Revived


def test_a_revived_letter_is_a_delivery_with_fresh_attempts(room: Room) -> None:
    room.put(entry("n1"))
    room.attempt(FAILED)
    room.attempt(FAILED)
    struck = room.claim()
    room.lose_worker(struck)
    room.attempt(DEAD)

    assert room.controls.revive(FIRST)

    claim = room.claim("a1:t1")
    assert (claim.attempts, claim.waits, claim.unanswered, claim.looks, claim.strikes) == (0,) * 5
    assert room.store.stats().dead == 0
    assert room.controls.dead_letter(FIRST) is None


def test_a_revived_letter_runs_although_its_row_is_marked(room: Room) -> None:
    let_die(room, entry("n1"))

    room.controls.revive(FIRST)

    assert room.claim().entry == entry("n1", carried=True)


def test_a_revived_letter_keeps_its_answer_and_needs_no_agent(room: Room) -> None:
    let_die(room, entry("n1"), journal=STORED.evolve(stage=Stage.DYING, cause="backend_refused"))
    room.open_by_hand()

    room.controls.revive(FIRST)

    claim = room.claim()
    journal = load(claim.journal_text)
    assert (journal.stage, journal.reply) == (Stage.ANSWERED, STORED.reply)
    assert (journal.cause, journal.outcome) == (None, None)


def test_a_revived_letter_keeps_its_tool_results_and_waits_for_its_agent(room: Room) -> None:
    let_die(room, entry("n1"), journal=CALLED.evolve(stage=Stage.DYING, cause="ask_failed"))
    room.open_by_hand()

    room.controls.revive(FIRST)

    assert room.refusal("a1:t1") == "circuit"
    room.client.delete(f"{PREFIX}circuit")
    journal = load(room.claim().journal_text)
    assert (journal.reply, journal.results, journal.calls_begun) == (
        CALLED.reply, CALLED.results, 1,
    )  # fmt: skip
    assert journal.session_key == CALLED.session_key


def test_a_letter_that_is_revived_fresh_starts_over(room: Room) -> None:
    let_die(room, entry("n1"), journal=STORED.evolve(stage=Stage.DYING, cause="backend_refused"))
    room.open_by_hand()

    room.controls.revive(FIRST, fresh=True)

    assert room.refusal("a1:t1") == "circuit", "nothing is paid any more"
    room.client.delete(f"{PREFIX}circuit")
    assert load(room.claim().journal_text) == Journal()


def test_a_letter_without_a_readable_journal_starts_over(room: Room) -> None:
    let_die(room, entry("n1"))
    room.client.hset(f"{PREFIX}delivery:n1:m1", "journal", "{")

    assert room.controls.revive(FIRST)

    assert room.claim().journal_text == ""


def test_a_revived_letter_takes_its_old_place_in_its_mailbox(room: Room) -> None:
    let_die(room, entry("n1", at=1000))
    room.put(entry("n2", at=2000), entry("n3", at=3000))

    room.controls.revive(FIRST)

    assert [room.attempt(ANSWERED).entry.notification for _ in range(3)] == ["n1", "n2", "n3"]


def test_a_revived_letter_does_not_push_a_begun_delivery_aside(room: Room) -> None:
    let_die(room, entry("n1", at=1000))
    room.put(entry("n2", at=2000))
    begun = room.claim()
    room.store.journal(begun, Journal(stage=Stage.ASKED, asks=1))

    room.controls.revive(FIRST)
    room.store.settle(begun, FAILED)

    assert [room.attempt(ANSWERED).entry.notification for _ in range(2)] == ["n2", "n1"]


def test_a_revived_letter_waits_while_its_conversation_runs(room: Room) -> None:
    let_die(room, entry("n1", at=1000))
    room.put(entry("n2", at=2000))
    running = room.claim()

    room.controls.revive(FIRST)

    assert room.refusal("a1:t1") == "held"
    room.store.settle(running, ANSWERED)
    assert room.claim().delivery == FIRST


def test_reviving_twice_revives_once(room: Room) -> None:
    let_die(room, entry("n1"))

    assert [room.controls.revive(FIRST), room.controls.revive(FIRST)] == [True, False]
    assert room.store.stats().open == 1
    assert room.client.hget(f"{PREFIX}row:n1", "open") == b"1"


def test_a_revived_letter_whose_rows_tombstone_ran_out_is_remembered_anew(room: Room) -> None:
    """A newer message of its row was settled a day ago."""
    kind = Kind.THREAD_UPDATE
    let_die(room, entry("n1", kind=kind))
    room.put(entry("n1", m="m2", at=2000, kind=kind))
    room.attempt(ANSWERED)
    assert room.client.pexpire(f"{PREFIX}row:n1", 0)

    assert room.controls.revive(FIRST)

    claim = room.claim()
    assert claim.delivery == FIRST
    assert room.store.journal(claim, STORED) == 1000
    room.store.settle(claim, ANSWERED)
    assert room.client.pttl(f"{PREFIX}row:n1") > 0
    assert room.store.put([entry("n1", kind=kind)]).added == 0
    assert room.store.stats().open == 0


def test_a_revived_letter_can_die_again_and_be_revived_again(room: Room) -> None:
    let_die(room, entry("n1"))
    for _ in range(3):
        assert room.controls.revive(FIRST)
        room.attempt(HOUR_OF_REST)
        room.client.zadd(f"{PREFIX}resting", {"a1:t1": 1})
        room.client.hset(f"{PREFIX}delivery:n1:m1", "due", 1)
        room.store.sweep()
        claim = room.claim("a1:t1")
        assert claim.attempts == 1
        room.store.settle(claim, DEAD)
    assert room.store.stats().dead == 1


def test_a_revived_letter_is_rung_by_the_next_sweep(room: Room) -> None:
    let_die(room, entry("n1"))

    room.controls.revive(FIRST)

    assert room.store.sweep().to_ring == ("a1:t1",)


# Discarded


def test_a_discarded_letter_leaves_only_tombstones(room: Room) -> None:
    let_die(room, entry("n1"), journal=STORED)

    assert room.controls.discard(FIRST)

    mine = {key for key in room.left() if "n1" in key}
    assert mine == {"row:n1", "story:n1:m1"}
    assert all(room.client.pttl(f"{PREFIX}{key}") > 0 for key in mine)
    assert list(room.controls.dead_letters()) == []
    assert not room.controls.discard(FIRST)
    assert not room.controls.revive(FIRST)


def test_a_discarded_row_is_not_put_again_and_counts_as_over(room: Room) -> None:
    let_die(room, entry("n1"))
    room.controls.discard(FIRST)

    assert room.store.put([entry("n1")]).added == 0
    assert room.books.audit([entry("n1")]).holdings == (Holding.SETTLED,)


def test_discarding_leaves_the_other_deliveries_of_the_row_alone(room: Room) -> None:
    kind = Kind.THREAD_UPDATE
    let_die(room, entry("n1", kind=kind))
    room.put(entry("n1", m="m2", at=2000, kind=kind))

    room.controls.discard(FIRST)

    assert room.client.pttl(f"{PREFIX}row:n1") == -1
    claim = room.claim()
    assert isinstance(claim, Claim)
    assert claim.delivery == "n1:m2"
    room.store.settle(claim, ANSWERED)
    assert room.client.pttl(f"{PREFIX}row:n1") > timedelta(hours=23) / timedelta(milliseconds=1)


def test_a_journal_of_a_newer_program_is_not_lost_by_reviving(room: Room) -> None:
    """An older program that cannot read it must not buy the answer again."""
    let_die(room, entry("n1"))
    newer = dump(STORED).replace('"v":2', '"v":99')
    room.client.hset(f"{PREFIX}delivery:n1:m1", "journal", newer)

    with pytest.raises(JournalUnreadable):
        room.controls.revive(FIRST)

    assert room.client.hget(f"{PREFIX}delivery:n1:m1", "journal") == newer.encode()
    assert room.controls.revive(FIRST, fresh=True)
    assert room.claim().journal_text == ""


def test_a_dead_letter_of_a_wrong_type_hides_no_other_one(room: Room) -> None:
    let_die(room, entry("n1"), entry("n2", task="t2"))
    room.client.delete(f"{PREFIX}delivery:n1:m1")
    room.client.set(f"{PREFIX}delivery:n1:m1", "x")

    assert [letter.delivery for letter in room.controls.dead_letters()] == ["n2:m1"]


def test_an_oldest_dead_letter_that_cannot_be_dropped_does_not_undo_a_settling(
    redis_client: redis.Redis,
) -> None:
    room = make_room(redis_client, dead_limit=1)
    let_die(room, entry("n1"))
    room.client.delete(f"{PREFIX}delivery:n1:m1")
    room.client.set(f"{PREFIX}delivery:n1:m1", "x")

    let_die(room, entry("n2", task="t2"))

    assert [letter.delivery for letter in room.controls.dead_letters()] == ["n2:m1"]
    assert room.store.stats().claims == 0
    assert room.store.stats().open == 0
