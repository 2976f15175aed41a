"""The shared roster: what is read is what was written, and only a leader writes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from dispatcher.adapters.directory import SharedDirectory
from dispatcher.adapters.redis.leader import RedisLead
from dispatcher.adapters.redis.roster import RedisRoster
from dispatcher.adapters.redis.steps import Steps
from dispatcher.adapters.wire_context import read_members
from dispatcher.domain.errors import BackendGarbled, LeadLost
from dispatcher.domain.ids import AccountId
from dispatcher.domain.notification import Agent, Flags
from dispatcher.domain.roster import Roster
from tests.fakes.clock import ManualClock
from tests.samples import LEAD
from tests.unit.test_sync import A, B, C

KEY = "mission-control:{acc}:roster"
WHOLE = Roster(
    members=(A, B, C), orchestrator=LEAD, heard_at=datetime(2026, 1, 2, tzinfo=UTC), version=3
)


@pytest.fixture
def store(redis_client: redis.Redis) -> RedisRoster:
    return RedisRoster(redis_client, Steps(redis_client, AccountId("acc")))


def lead(client: redis.Redis) -> int:
    steps = Steps(client, AccountId("acc"))
    return RedisLead(steps, holder="a", lease=timedelta(seconds=30)).take() or 0


def test_what_is_read_is_what_was_written(store: RedisRoster, redis_client: redis.Redis) -> None:
    assert store.read() is None

    store.write(WHOLE, term=lead(redis_client))

    assert store.read() == WHOLE


def test_a_leader_of_an_old_term_writes_nothing(store, redis_client: redis.Redis) -> None:
    term = lead(redis_client)
    redis_client.incr("mission-control:{acc}:term")

    with pytest.raises(LeadLost):
        store.write(WHOLE, term=term)

    assert store.read() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"form": 2}', '{"form": 1, "members": 3}'])
def test_what_cannot_be_read_counts_as_none(store, redis_client: redis.Redis, text: str) -> None:
    """The next sync writes it anew."""
    redis_client.set(KEY, text)

    assert store.read() is None


class Backend:
    """Lists two agents, and counts how often."""

    asked = 0

    def agents(self) -> tuple[Agent, ...]:
        self.asked += 1
        return (A.agent,)


def test_the_directory_reads_the_roster_and_asks_the_backend_only_without_one(
    store: RedisRoster, redis_client: redis.Redis
) -> None:
    backend, clock = Backend(), ManualClock()
    directory = SharedDirectory(store, backend, clock)

    assert directory.agents() == (A.agent,)
    store.write(WHOLE, term=lead(redis_client))
    assert directory.agents() == (A.agent,)
    clock.advance(timedelta(seconds=6))

    assert directory.agents() == (A.agent, B.agent, C.agent)
    assert backend.asked == 1


@pytest.mark.parametrize(
    ("given", "minutes"),
    [(0, 1), (-3, 1), (0.2, 1), (5, 5), (None, 5), ("often", 5), (float("nan"), 5), (1e9, 10080)],
)
def test_an_interval_that_makes_no_sense_is_set_right(given: Any, minutes: float) -> None:
    (one,) = read_members([{"_id": "a", "slug": "a", "heartbeatInterval": given}])

    assert one.heartbeat == timedelta(minutes=minutes)


def test_an_agent_that_cannot_be_read_does_not_hide_the_others() -> None:
    raw = json.loads(
        '[{"slug": "no id"}, {"_id": "a", "name": "A", "slug": "a", "role": "R", '
        '"systemSessionKey": "system:agent:a:acc:v1", '
        '"effectiveBehaviorFlags": {"canCreateTasks": true}}, 5]'
    )

    (one,) = read_members(raw)

    assert one.agent == Agent(agent_id="a", name="A", slug="a", role="R")  # type: ignore[arg-type]
    assert one.flags == Flags(
        can_create_tasks=True, can_create_documents=False, can_mention_agents=False
    )
    for garbled in ({}, "x", None, [5]):
        with pytest.raises(BackendGarbled):
            read_members(garbled)
    assert read_members([]) == ()
