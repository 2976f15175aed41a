"""The books: what the store knows of listed rows, repairs, and marks without a claim."""

from datetime import timedelta

import pytest
import redis

from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.domain.delivery import Blame, Blamed, Claim, Dead, NotClaimed, Resting, Spent
from dispatcher.domain.errors import LeadLost
from dispatcher.domain.ids import AccountId, AgentId, ConversationId, NotificationId
from dispatcher.domain.notification import Kind
from dispatcher.domain.world import ALL, paused_agent, paused_conversation
from dispatcher.ports import Holding
from tests.adapters.store_room import ANSWERED, HOUR_OF_REST, PREFIX, Room, entry, make_room
from tests.waiting import until

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


def holding(room: Room, *listed) -> list[Holding]:
    return list(room.books.audit(listed).holdings)


# What is known of a listed row


def test_every_listed_row_is_accounted_for_in_order(room: Room) -> None:
    rows = [entry(f"n{i}", task=f"t{i}", at=i) for i in range(1, 7)]
    room.put(*rows[:5])
    room.attempt(ANSWERED)
    room.attempt(Dead(cause="ask_refused"))
    room.claim()
    room.attempt(HOUR_OF_REST)

    assert holding(room, *rows) == [
        Holding.SETTLED,
        Holding.DEAD,
        Holding.OPEN,
        Holding.OPEN,
        Holding.OPEN,
        Holding.UNKNOWN,
    ]


def test_a_newer_message_of_a_settled_row_is_unknown(room: Room) -> None:
    room.put(entry("n1", kind=UPDATE))
    room.attempt(ANSWERED)

    assert holding(room, entry("n1", m="m2", at=2000, kind=UPDATE)) == [Holding.UNKNOWN]


def test_a_row_of_which_an_older_message_is_in_work_is_open(room: Room) -> None:
    room.put(entry("n1", kind=UPDATE))
    claim = room.claim()
    room.put(entry("n1", m="m2", at=2000, kind=UPDATE))
    room.store.settle(claim, ANSWERED)

    assert holding(room, entry("n1", kind=UPDATE)) == [Holding.OPEN]


def test_the_tombstone_of_a_listed_row_stays_while_it_is_listed(room: Room) -> None:
    room.put(entry("n1"))
    room.attempt(ANSWERED)
    room.client.pexpire(f"{PREFIX}row:n1", 5_000)

    room.put(entry("n1"))

    assert room.client.pttl(f"{PREFIX}row:n1") > 5_000
    assert holding(room, entry("n1")) == [Holding.SETTLED]


def test_an_audit_changes_nothing_that_is_right(room: Room) -> None:
    room.put(entry("n1"), entry("n2", task="t2"), entry("n3", agent="a2", task="t3"))
    room.claim()
    room.controls.pause(paused_conversation(ConversationId("a1:t2")))
    before = {key: room.client.dump(f"{PREFIX}{key}") for key in room.left()}

    audit = room.books.audit([entry("n1"), entry("n9")])

    assert audit.righted == 0
    assert {key: room.client.dump(f"{PREFIX}{key}") for key in room.left()} == before


def test_an_audit_of_a_runtime_that_leads_no_more_is_refused(room: Room) -> None:
    room.client.set(f"{PREFIX}term", 2)

    with pytest.raises(LeadLost):
        room.books.audit([entry("n1")], term=1)


# Repairs


def test_a_mailbox_that_stands_nowhere_is_put_into_line(room: Room) -> None:
    room.put(entry("n1"))
    for key in (f"{PREFIX}line:0", f"{PREFIX}line:0:a1"):
        room.client.delete(key)
    room.client.hdel(f"{PREFIX}mailbox:a1:t1", "line_class")
    assert room.store.sweep().to_ring == ()

    assert room.books.audit([]).righted == 1

    assert room.store.sweep().to_ring == ("a1:t1",)
    assert room.claim().delivery == "n1:m1"
    assert room.books.audit([]).righted == 0


def test_a_mailbox_that_rests_nowhere_goes_back_to_rest(room: Room) -> None:
    room.put(entry("n1"))
    room.attempt(HOUR_OF_REST)
    room.client.zrem(f"{PREFIX}resting", "a1:t1")

    assert room.books.audit([]).righted == 1

    assert room.refusal("a1:t1") is NotClaimed.RESTING


def test_a_mailbox_of_a_paused_agent_stands_in_line_and_is_no_repair(room: Room) -> None:
    room.put(entry("n1"))
    room.controls.pause(paused_agent(AgentId("a1")))
    room.controls.pause(ALL)

    assert room.books.audit([]).righted == 0


def test_a_claim_without_a_lease_is_taken_back(room: Room) -> None:
    room.put(entry("n1"))
    claim = room.claim()
    room.client.zrem(f"{PREFIX}claims", claim.conversation)
    assert room.store.sweep().expired == 0

    assert room.books.audit([]).righted == 1

    until(room.store.sweep, lambda swept: swept.expired == 1)
    assert room.claim().strikes == 1


def test_a_claim_without_a_lease_that_is_renewed_is_kept(room: Room) -> None:
    room.put(entry("n1"))
    claim = room.claim()
    room.client.zrem(f"{PREFIX}claims", claim.conversation)
    room.books.audit([])

    assert room.store.renew([claim], ceiling=timedelta(hours=1)) == (True,)

    assert room.store.sweep().expired == 0
    room.store.settle(claim, ANSWERED)


def test_an_open_name_without_a_delivery_is_taken_off(room: Room) -> None:
    room.client.zadd(f"{PREFIX}open", {"n9:m1": 1})

    assert room.books.audit([]).righted == 1
    assert room.store.stats().open == 0


def test_each_audit_goes_on_where_the_last_one_stopped(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.adapters.redis.books._LOOKED_AT", 2)
    for number in range(5):
        room.put(entry(f"n{number}", task=f"t{number}"))
        room.client.zadd(f"{PREFIX}open", {f"n{number}:m1": number})
        room.client.delete(f"{PREFIX}mailbox:a1:t{number}")

    assert [room.books.audit([]).righted for _ in range(5)] == [2, 2, 1, 0, 0]


# Marks without a claim


def test_a_waiting_delivery_of_a_row_that_is_marked_runs_as_carried(room: Room) -> None:
    room.put(entry("n1"))

    assert room.books.begin_mark(entry("n1"))
    room.books.end_mark(NotificationId("n1"))

    assert room.claim().entry.is_carried
    assert room.books.begun_marks() == ()


def test_a_row_in_work_is_not_marked_by_others(room: Room) -> None:
    room.put(entry("n1"))
    claim = room.claim()

    assert not room.books.begin_mark(entry("n1"))

    assert not claim.entry.is_carried
    assert room.books.begun_marks() == ()


def test_a_row_of_which_a_newer_message_is_known_is_not_marked(room: Room) -> None:
    room.put(entry("n1", kind=UPDATE))
    room.attempt(ANSWERED)
    room.put(entry("n1", m="m2", at=2000, kind=UPDATE))

    assert not room.books.begin_mark(entry("n1", kind=UPDATE))

    assert room.books.begun_marks() == ()


@pytest.mark.parametrize("outcome", [ANSWERED, Dead(cause="ask_refused")])
def test_a_row_that_is_over_may_be_marked_again_and_stays_over(room: Room, outcome) -> None:
    room.put(entry("n1"))
    room.attempt(outcome)

    assert room.books.begin_mark(entry("n1"))
    room.books.end_mark(NotificationId("n1"))

    assert room.store.stats().open == 0
    assert room.refusal("a1:t1") is NotClaimed.EMPTY


def test_what_was_begun_and_not_ended_is_found_again(room: Room) -> None:
    """The process died between the two; another one reads the row again."""
    one = entry("n1", m="m2", kind=UPDATE, at=2000)
    room.put(one, entry("n2", task=None, m=None, at=3000))
    room.books.begin_mark(one)
    room.books.begin_mark(entry("n2", task=None, m=None, at=3000))

    other = make_room(room.client, worker="w2")

    assert set(other.books.begun_marks()) == {one, entry("n2", task=None, m=None, at=3000)}
    assert room.store.stats().marking == 2
    other.books.end_mark(one.notification)
    assert room.store.stats().marking == 1


def test_beginning_twice_is_one_note(room: Room) -> None:
    room.put(entry("n1"))

    assert [room.books.begin_mark(entry("n1")) for _ in range(2)] == [True, True]

    assert len(room.books.begun_marks()) == 1


# A claim that is taken over by another process of the same worker


def short_lived(client: redis.Redis) -> RedisMailboxes:
    """A store whose leases last just long enough to be seen to end."""
    return RedisMailboxes(
        client, account=AccountId("acc"), lease=timedelta(milliseconds=30), worker="w2"
    )


def test_a_process_that_is_handed_a_token_gets_the_claim_that_it_names(room: Room) -> None:
    room.put(entry("n1"), entry("n2", task="t2", at=2000))
    claim = room.claim()

    again = room.store.take_over(claim.conversation, claim.token)

    assert isinstance(again, Claim)
    assert (again.conversation, again.delivery) == (claim.conversation, claim.delivery)
    assert room.store.stats().claims == 1


def test_a_token_never_gets_a_second_mailbox_however_late_it_is_handed_over(room: Room) -> None:
    """A place in quarantine may be waited for longer than the first lease lasts."""
    room.put(entry("n1"), entry("n2", task="t2", at=2000))
    hasty = short_lived(room.client)
    claim = hasty.claim(ConversationId("a1:t1"))
    assert isinstance(claim, Claim)
    room.store.renew([claim], ceiling=timedelta(hours=1))
    until(lambda: room.client.exists(f"{PREFIX}handed:{claim.token}"), lambda found: not found)

    again = room.store.take_over(claim.conversation, claim.token)

    assert isinstance(again, Claim)
    assert again.conversation == claim.conversation
    assert room.store.stats().claims == 1


def test_a_token_whose_claim_was_taken_back_gets_nothing(room: Room) -> None:
    room.put(entry("n1"), entry("n2", task="t2", at=2000))
    claim = room.claim()
    room.lose_worker(claim)

    assert room.store.take_over(claim.conversation, claim.token) is NotClaimed.EMPTY
    assert room.store.stats().claims == 0


def test_a_claim_that_was_taken_over_is_settled_once(room: Room) -> None:
    room.put(entry("n1"))
    claim = room.claim()
    again = room.store.take_over(claim.conversation, claim.token)
    assert isinstance(again, Claim)

    room.store.settle(again, ANSWERED)

    assert room.store.take_over(claim.conversation, claim.token) is NotClaimed.EMPTY
    assert (room.store.stats().open, room.store.stats().claims) == (0, 0)
