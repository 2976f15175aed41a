"""The mailbox store, step by step, on a real Redis."""

from datetime import timedelta

import pytest
import redis

from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.domain.delivery import Claim, Dead, Entry, NotClaimed, Resting, Settled, Spent
from dispatcher.domain.errors import LeaseLost, StoreUnusable
from dispatcher.domain.ids import (
    AccountId,
    ConversationId,
    NotificationId,
)
from dispatcher.domain.journal import Journal, Stage, load
from dispatcher.domain.notification import Kind
from dispatcher.ports import Done
from tests.adapters.store_room import entry
from tests.samples import notification
from tests.waiting import until

LEASE = timedelta(seconds=12)
NOBODY = ConversationId("nobody:-")


@pytest.fixture
def store(redis_client: redis.Redis) -> RedisMailboxes:
    store = RedisMailboxes(redis_client, account=AccountId("acc"), lease=LEASE, worker="w1")
    store.open()
    store.set_limits(cap=10, agent_cap=10)
    return store


@pytest.fixture
def hasty(redis_client: redis.Redis) -> RedisMailboxes:
    """The same store with a lease that is over at once."""
    return RedisMailboxes(
        redis_client, account=AccountId("acc"), lease=timedelta(milliseconds=1), worker="w2"
    )


def claimed(store: RedisMailboxes, hint: ConversationId = NOBODY) -> Claim:
    claim = store.claim(hint)
    assert isinstance(claim, Claim), claim
    return claim


DONE = Settled(outcome="answered")
REST = Resting(delay=timedelta(hours=1), cause="ask_failed", spends=Spent.ATTEMPT)


def test_a_put_delivery_is_claimed_once(store: RedisMailboxes) -> None:
    put = store.put([entry("n1")])
    assert put.added == 1
    assert put.to_ring == ("a1:t1",)

    claim = claimed(store, put.to_ring[0])

    assert claim.entry == entry("n1")
    assert claim.attempt_no == 1
    assert load(claim.journal_text) == Journal()
    assert store.claim(put.to_ring[0]) is NotClaimed.HELD


def test_item_77_the_same_page_put_twice_adds_nothing(store: RedisMailboxes) -> None:
    page = [entry("n1"), entry("n2", at=2000)]
    store.put(page)
    assert store.put(page).added == 0
    claim = claimed(store)
    assert store.put(page).added == 0
    store.settle(claim, Settled(outcome="answered"))
    assert store.put(page).added == 0


def test_a_settled_row_is_not_put_again(store: RedisMailboxes) -> None:
    store.put([entry("n1")])
    store.settle(claimed(store), Settled(outcome="answered"))
    assert store.put([entry("n1")]).added == 0
    assert store.claim(ConversationId("a1:t1")) is NotClaimed.EMPTY


def test_a_newer_message_of_a_settled_row_is_put(store: RedisMailboxes) -> None:
    store.put([entry("n1", kind=Kind.THREAD_UPDATE)])
    store.settle(claimed(store), Settled(outcome="answered"))
    assert store.put([entry("n1", m="m2", at=2000, kind=Kind.THREAD_UPDATE)]).added == 1


def test_mail_of_one_conversation_goes_in_order_of_creation(store: RedisMailboxes) -> None:
    store.put([entry("n3", at=3000), entry("n1", at=1000), entry("n2", at=2000)])
    order = []
    for _ in range(3):
        claim = claimed(store)
        order.append(claim.entry.notification)
        assert isinstance(store.claim(claim.conversation), NotClaimed)
        store.settle(claim, Settled(outcome="answered"))
    assert order == ["n1", "n2", "n3"]


def test_rows_of_one_transaction_keep_the_order_of_their_creation_time(store) -> None:
    first = entry("n9")
    second = Entry(**{name: getattr(first, name) for name in first.__slots__}
                   | {"notification": NotificationId("n1"), "creation_time_ms": 1000.5})  # fmt: skip
    store.put([second, first])
    assert claimed(store).entry.notification == "n9"


def test_a_begun_delivery_stays_ahead_of_an_older_row_that_comes_late(store) -> None:
    store.put([entry("n2", at=2000)])
    claim = claimed(store)
    store.journal(claim, Journal(stage=Stage.ASKED))
    store.put([entry("n1", at=1000)])
    store.settle(claim, Resting(delay=timedelta(0), cause="x", spends=Spent.ATTEMPT))
    again = claimed(store)
    assert again.entry.notification == "n2"
    assert load(again.journal_text).stage is Stage.ASKED
    assert again.attempts == 1


def test_two_conversations_are_claimed_side_by_side(store: RedisMailboxes) -> None:
    store.put([entry("n1"), entry("n2", task="t2")])
    assert {claimed(store).conversation, claimed(store).conversation} == {"a1:t1", "a1:t2"}


def test_no_more_turns_run_than_the_cap(store: RedisMailboxes) -> None:
    store.set_limits(cap=2, agent_cap=2)
    put = store.put([entry(f"n{i}", task=f"t{i}") for i in range(5)])
    assert len(put.to_ring) == 2
    first, _ = claimed(store), claimed(store)
    assert store.claim(NOBODY) is NotClaimed.FULL
    done = store.settle(first, Settled(outcome="answered"))
    assert len(done.to_ring) == 1
    claimed(store)


def test_a_full_agent_does_not_keep_others_waiting(store: RedisMailboxes) -> None:
    store.set_limits(cap=10, agent_cap=1)
    store.put([entry(f"n{i}", task=f"t{i}") for i in range(3)])
    store.put([entry("n9", agent="a2", task="t9")])
    assert claimed(store).entry.agent == "a1"
    assert claimed(store).entry.agent == "a2"
    assert store.claim(ConversationId("a1:t2")) is NotClaimed.AGENT_FULL


def test_people_are_served_before_updates(store: RedisMailboxes) -> None:
    store.put([entry("n1", task="t1", kind=Kind.STATUS_CHANGE)])
    store.put([entry("n2", task="t2", kind=Kind.THREAD_UPDATE)])
    store.put([entry("n3", task="t3", kind=Kind.ASSIGNMENT)])
    assert [claimed(store).entry.notification for _ in range(3)] == ["n3", "n2", "n1"]


def test_every_eighth_slot_goes_to_the_longest_wait(store: RedisMailboxes) -> None:
    store.set_limits(cap=20, agent_cap=20)
    store.put([entry("old", task="t0", kind=Kind.STATUS_CHANGE)])
    put_at = store.stats().at
    until(lambda: store.stats().at > put_at)
    store.put([entry(f"n{i}", task=f"t{i}") for i in range(1, 12)])
    order = [claimed(store).entry.notification for _ in range(12)]
    assert order[7] == "old"


def test_a_resting_mailbox_waits_for_its_time(store: RedisMailboxes) -> None:
    store.put([entry("n1")])
    claim = claimed(store)
    store.settle(claim, REST)
    assert store.claim(claim.conversation) is NotClaimed.RESTING
    stats = store.stats()
    assert (stats.open, stats.claims, stats.resting) == (1, 0, 1)


def test_a_due_rest_is_ended_by_the_sweeper(store: RedisMailboxes) -> None:
    store.put([entry("n1")])
    store.settle(
        claimed(store), Resting(delay=timedelta(milliseconds=1), cause="x", spends=Spent.WAIT)
    )
    swept = until(store.sweep, lambda swept: swept.rested)
    assert swept.to_ring == ("a1:t1",)
    claim = claimed(store)
    assert (claim.attempts, claim.waits) == (0, 1)


def test_a_stale_token_changes_nothing(store, hasty) -> None:
    store.put([entry("n1")])
    stale = claimed(hasty)
    until(hasty.sweep, lambda swept: swept.expired == 1)
    owner = claimed(store)
    for step in (
        lambda: store.journal(stale, Journal(stage=Stage.ASKED)),
        lambda: store.settle(stale, Settled(outcome="answered")),
        lambda: store.rebind(stale, notification(notification_id="n1", message="m2")),
    ):
        with pytest.raises(LeaseLost):
            step()
    assert store.renew([stale, owner], ceiling=LEASE) == (False, True)


def test_a_lease_that_ran_out_untaken_lives_again_when_renewed(store, hasty) -> None:
    store.put([entry("n1")])
    claim = claimed(hasty)
    assert store.renew([claim], ceiling=LEASE) == (True,)
    assert store.sweep().expired == 0


def test_a_claim_beyond_its_ceiling_is_not_renewed(store: RedisMailboxes) -> None:
    store.put([entry("n1")])
    claim = claimed(store)
    assert store.renew([claim], ceiling=timedelta(milliseconds=-1)) == (False,)


def test_settling_twice_gives_the_same_answer_and_changes_nothing(store: RedisMailboxes) -> None:
    """The first answer may have been lost on its way."""
    store.put([entry("n1"), entry("n2", at=2000)])
    claim = claimed(store)
    first = store.settle(claim, Settled(outcome="answered"))
    assert store.settle(claim, Settled(outcome="answered")) == first == Done(to_ring=("a1:t1",))
    assert store.stats().open == 1


def test_a_rebound_delivery_absorbs_its_queued_twin(store: RedisMailboxes) -> None:
    store.put([entry("n1", m="m1", kind=Kind.THREAD_UPDATE)])
    claim = claimed(store)
    store.put([entry("n1", m="m2", at=2000, kind=Kind.THREAD_UPDATE)])
    newer = notification(notification_id="n1", message="m2", created_at_ms=2000,
                         creation_time_ms=1000.25, kind=Kind.THREAD_UPDATE,
                         recipient="a1", task="t1")  # fmt: skip
    bound = store.rebind(claim, newer)
    assert bound.delivery == "n1:m2"
    assert store.rebind(claim, newer).delivery == "n1:m2"
    assert store.stats().open == 1
    store.settle(bound, Settled(outcome="answered"))
    assert store.stats().open == 0
    assert store.put([entry("n1", m="m2", at=2000)]).added == 0


def test_the_journal_knows_a_newer_message_of_its_row(store: RedisMailboxes) -> None:
    store.put([entry("n1", kind=Kind.THREAD_UPDATE)])
    claim = claimed(store)
    assert store.journal(claim, Journal(stage=Stage.ASKED)) == 1000
    store.put([entry("n1", m="m2", at=2000, kind=Kind.THREAD_UPDATE)])
    assert store.journal(claim, Journal(stage=Stage.ANSWERED)) == 2000


def test_a_second_delivery_of_a_row_learns_that_the_rows_key_is_used(store) -> None:
    store.put([entry("n1", kind=Kind.THREAD_UPDATE)])
    claim = claimed(store)
    assert claim.row_key_user is None
    store.journal(claim, Journal(stage=Stage.POSTING), uses_row_key=True)
    store.settle(claim, Settled(outcome="answered"))
    store.put([entry("n1", m="m2", at=2000, kind=Kind.THREAD_UPDATE)])
    assert claimed(store).row_key_user == "n1:m1"


def test_whoever_settles_goes_on_with_the_next(store: RedisMailboxes) -> None:
    store.put([entry("n1"), entry("n2", at=2000)])
    first = claimed(store)

    done = store.settle(first, DONE, goes_on=True)

    assert done.to_ring == ()
    assert done.next_claim is not None
    assert done.next_claim.entry.notification == "n2"
    assert store.renew([first, done.next_claim], ceiling=timedelta(hours=1)) == (False, True)
    assert store.settle(done.next_claim, DONE, goes_on=True) == Done()


def test_a_settling_that_is_repeated_gets_the_same_claim(
    store: RedisMailboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the first one was lost on its way."""
    store.put([entry(f"n{number}", task=f"t{number}") for number in range(3)])
    first = claimed(store)
    monkeypatch.setattr("secrets.token_hex", lambda _: "the-same")
    before = store.settle(first, DONE, goes_on=True)

    after = store.settle(first, DONE, goes_on=True)

    assert before.next_claim is not None
    assert after.next_claim is not None
    assert after.next_claim.delivery == before.next_claim.delivery
    assert store.stats().claims == 1


def test_nobody_goes_on_beyond_the_cap_or_while_the_backend_is_left_alone(
    store: RedisMailboxes,
) -> None:
    store.put([entry(f"n{number}", task=f"t{number}") for number in range(5)])
    first, second, third = (claimed(store) for _ in range(3))
    store.set_limits(cap=1, agent_cap=1)
    assert store.settle(first, DONE, goes_on=True).next_claim is None

    store.set_limits(cap=10, agent_cap=10)
    store.stop_backend("down")
    assert store.settle(second, DONE, goes_on=True).next_claim is None

    store.stop_backend(None)
    assert store.settle(third, DONE, goes_on=True).next_claim is not None


def test_a_carried_entry_turns_a_known_delivery_into_a_carried_one(store) -> None:
    store.put([entry("n1", m="m2", at=2000, kind=Kind.THREAD_UPDATE)])
    carried = entry("n1", m="m2", at=2000, kind=Kind.THREAD_UPDATE, carried=True)
    assert store.put([carried]).added == 0
    assert claimed(store).entry.is_carried


def test_a_carried_entry_of_a_settled_message_is_ignored(store: RedisMailboxes) -> None:
    store.put([entry("n1", kind=Kind.THREAD_UPDATE)])
    store.settle(claimed(store), Settled(outcome="answered"))
    assert store.put([entry("n1", kind=Kind.THREAD_UPDATE, carried=True)]).added == 0


def test_a_dead_letter_is_kept_and_its_mailbox_goes_on(store: RedisMailboxes) -> None:
    store.put([entry("n1"), entry("n2", at=2000)])
    store.settle(claimed(store), Dead(cause="ask_refused"))
    assert claimed(store).entry.notification == "n2"
    stats = store.stats()
    assert (stats.dead, stats.open) == (1, 1)
    assert store.put([entry("n1")]).added == 0


def test_lost_rings_are_rung_again_by_the_sweeper(store: RedisMailboxes, redis_client) -> None:
    store.put([entry("n1")])
    assert store.sweep().to_ring == ("a1:t1",)
    assert store.sweep().to_ring == ()
    mailbox = "mission-control:{acc}:mailbox:a1:t1"
    redis_client.hset(mailbox, "rung_at", 1)
    assert store.sweep().to_ring == ("a1:t1",)
    assert redis_client.hget(mailbox, "ring_wait") == b"6000"


def test_settled_work_leaves_only_tombstones_that_expire(store, redis_client) -> None:
    store.put([entry(f"n{i}", task=f"t{i % 3}", at=i) for i in range(9)])
    for _ in range(9):
        store.settle(claimed(store), Settled(outcome="answered"))
    left = {key.decode().removeprefix("mission-control:{acc}:") for key in redis_client.scan_iter()}
    answers = {name for name in left if name.startswith("settled:")}
    assert all(redis_client.ttl(f"mission-control:{{acc}}:{name}") > 0 for name in answers)
    counts = {name for name in left if name.startswith("counts:")}
    assert all(redis_client.ttl(f"mission-control:{{acc}}:{name}") > 0 for name in counts)
    left -= answers | counts
    kept = {f"row:n{i}" for i in range(9)} | {f"story:n{i}:m1" for i in range(9)}
    assert left == {"layout", "limits", "turns", "totals"} | kept
    assert all(redis_client.ttl(f"mission-control:{{acc}}:{name}") > 0 for name in kept)


def test_a_store_of_a_newer_layout_is_refused(store: RedisMailboxes, redis_client) -> None:
    redis_client.set("mission-control:{acc}:layout", 99)
    with pytest.raises(StoreUnusable, match="newer dispatcher"):
        store.open()


def test_accounts_do_not_see_each_other(store: RedisMailboxes, redis_client) -> None:
    other = RedisMailboxes(redis_client, account=AccountId("other"), lease=LEASE, worker="w")
    store.put([entry("n1")])
    assert other.claim(ConversationId("a1:t1")) is NotClaimed.EMPTY


def test_stats_tell_who_waits_by_class(store: RedisMailboxes) -> None:
    store.put([entry("n1", task="t1"), entry("n2", task="t2", kind=Kind.THREAD_UPDATE)])
    stats = store.stats()
    assert stats.waiting == (1, 1, 0, 0)
    assert stats.oldest[0] is not None
    assert timedelta(0) <= stats.oldest_wait() < timedelta(seconds=5)


def test_a_carried_message_of_the_same_millisecond_gets_its_own_delivery(store) -> None:
    store.put([entry("n1", m="m1", kind=Kind.THREAD_UPDATE)])
    first = claimed(store)
    carried = entry("n1", m="m2", kind=Kind.THREAD_UPDATE, carried=True)
    assert store.put([carried]).added == 1
    store.settle(first, Settled(outcome="answered"))
    assert claimed(store).entry.message == "m2"
    assert store.put([carried]).added == 0


def test_a_rebound_delivery_stands_for_all_older_messages_of_its_row(store) -> None:
    kind = Kind.THREAD_UPDATE
    store.put([entry("n1", m="m1", kind=kind)])
    claim = claimed(store)
    for number in (2, 3, 4):
        store.put([entry("n1", m=f"m{number}", at=1000 * number, kind=kind)])
    store.put([entry("n2", m="x", at=1500, kind=kind)])
    newest = notification(notification_id="n1", message="m4", created_at_ms=4000, kind=kind,
                          creation_time_ms=1000.25, recipient="a1", task="t1")  # fmt: skip
    store.settle(store.rebind(claim, newest), Settled(outcome="answered"))
    assert store.stats().open == 1
    assert claimed(store).entry.notification == "n2"


def test_a_dead_letter_of_the_newer_message_makes_way(store, redis_client) -> None:
    kind = Kind.THREAD_UPDATE
    store.put([entry("n1", m="m1", kind=kind)])
    store.put([entry("n1", m="m2", at=2000, kind=kind)])
    store.put([entry("n1", m="m3", at=3000, kind=kind)])
    newest = notification(notification_id="n1", message="m3", created_at_ms=3000, kind=kind,
                          creation_time_ms=1000.25, recipient="a1", task="t1")  # fmt: skip
    store.settle(store.rebind(claimed(store), newest), Dead(cause="ask_refused"))
    store.put([entry("n1", m="m4", at=4000, kind=kind)])
    again = claimed(store)
    store.settle(store.rebind(again, newest), Settled(outcome="answered"))
    stats = store.stats()
    assert (stats.open, stats.dead) == (0, 0)
    assert redis_client.hget("mission-control:{acc}:row:n1", "open") == b"0"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("step", ["claim", "settle"])
def test_a_mailbox_that_has_lost_itself_ends_no_script(store: RedisMailboxes, step: str) -> None:
    """Somebody has deleted its keys while it stood in line: Redis must not look for it for ever."""
    store.put([entry("n1"), entry("n2", task="t2"), entry("n3", task="t3", at=2000)])
    held = claimed(store)
    client, prefix = store._client, store._prefix
    for name in ("a1:t1", "a1:t2"):
        if name != held.conversation:
            client.delete(f"{prefix}mailbox:{name}", f"{prefix}mail:{name}")

    if step == "claim":
        assert claimed(store).entry.notification == "n3"
    else:
        found = store.settle(held, DONE, goes_on=True).next_claim
        assert found is not None
        assert found.entry.notification == "n3"


def test_what_is_wrong_with_the_next_mailbox_is_no_failure_of_this_one(
    store: RedisMailboxes,
) -> None:
    store.put([entry("n1"), entry("n2", task="t2", at=2000)])
    held = claimed(store)
    store._client.delete(f"{store._prefix}story:n2:m1")
    store._client.set(f"{store._prefix}story:n2:m1", "not a list")

    assert store.settle(held, DONE, goes_on=True) == Done()
    assert store.claim(held.conversation) is not NotClaimed.HELD


def test_a_store_without_limits_goes_on_within_the_workers_own(redis_client: redis.Redis) -> None:
    """Redis was emptied, and the runtime has not written them anew yet."""
    store = RedisMailboxes(
        redis_client, account=AccountId("acc"), lease=LEASE, worker="w", caps=(2, 1)
    )
    store.put([entry(f"n{number}", task=f"t{number}") for number in range(3)])
    store.put([entry("n9", agent="a2")])
    first, second = claimed(store), claimed(store)
    assert {first.entry.agent, second.entry.agent} == {"a1", "a2"}

    of_a2 = first if first.entry.agent == "a2" else second

    assert store.settle(of_a2, DONE, goes_on=True).next_claim is None
