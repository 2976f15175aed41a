"""The lead on a real Redis: one holder at a time, and steps of an old term change nothing."""

from datetime import timedelta

import pytest
import redis

from dispatcher.adapters.redis.leader import RedisLead
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.domain.delivery import Claim, entry_of
from dispatcher.domain.errors import LeadLost
from dispatcher.domain.ids import AccountId
from tests.samples import notification
from tests.waiting import until

LONG, SHORT = timedelta(seconds=30), timedelta(milliseconds=20)


@pytest.fixture
def store(redis_client: redis.Redis) -> RedisMailboxes:
    return RedisMailboxes(redis_client, account=AccountId("acc"), lease=LONG, worker="w")


def test_one_leads_and_the_other_stands_by(store: RedisMailboxes) -> None:
    first = RedisLead(store.steps, holder="a", lease=LONG)
    second = RedisLead(store.steps, holder="b", lease=LONG)
    assert first.take() == 1
    assert second.take() is None
    assert first.take() == 1


def test_a_lead_that_is_given_away_is_taken_at_once_in_a_new_term(store) -> None:
    first = RedisLead(store.steps, holder="a", lease=LONG)
    second = RedisLead(store.steps, holder="b", lease=LONG)
    first.take()
    first.resign()
    assert second.take() == 2
    first.resign()
    assert second.take() == 2


def test_whoever_leaves_learns_how_many_others_live(store: RedisMailboxes) -> None:
    """Only the last one tells the backend that nobody is here."""
    first = RedisLead(store.steps, holder="a", lease=LONG)
    second = RedisLead(store.steps, holder="b", lease=LONG)
    RedisLead(store.steps, holder="dead", lease=SHORT).take()
    first.take()
    second.take()

    assert until(lambda: first.resign() == 1)
    assert first.resign() == 1
    assert second.resign() == 0


def test_a_lead_that_runs_out_goes_to_the_standby(store: RedisMailboxes) -> None:
    RedisLead(store.steps, holder="a", lease=SHORT).take()
    standby = RedisLead(store.steps, holder="b", lease=LONG)
    assert until(standby.take) == 2


def test_a_leader_of_an_old_term_changes_nothing(store: RedisMailboxes) -> None:
    old = RedisLead(store.steps, holder="a", lease=LONG)
    term = old.take()
    old.resign()
    RedisLead(store.steps, holder="b", lease=LONG).take()
    with pytest.raises(LeadLost):
        store.put([entry_of(notification())], term=term)
    with pytest.raises(LeadLost):
        store.sweep(term=term)
    assert store.stats().open == 0


def test_a_standby_sweeps_when_nobody_else_does(store: RedisMailboxes, redis_client) -> None:
    """The death of a leader must not add to that of a worker."""
    short = RedisMailboxes(redis_client, account=AccountId("acc"), lease=SHORT, worker="w")
    RedisLead(store.steps, holder="a", lease=LONG).take()
    short.put([entry_of(notification())])
    claim = short.claim(entry_of(notification()).conversation)
    assert isinstance(claim, Claim)
    store.sweep()

    assert store.sweep(unswept=LONG).expired == 0
    assert until(lambda: store.sweep(unswept=SHORT).expired) == 1


def test_a_worker_carries_a_message_without_leading(store: RedisMailboxes) -> None:
    RedisLead(store.steps, holder="a", lease=LONG).take()
    assert store.put([entry_of(notification(), is_carried=True)]).added == 1
