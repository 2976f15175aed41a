"""Rings on a real Redis: where they land, what they carry, and what happens when nobody hears."""

import json
import logging
from collections.abc import Iterator

import pytest
import redis

from dispatcher.adapters.bell import ACTOR, QUEUE, DramatiqBell, RingBroker, make_broker
from dispatcher.adapters.redis.connection import connect
from dispatcher.domain.ids import AccountId, ConversationId
from dispatcher.lab.redis_server import RedisServer, free_port

ACCOUNT = AccountId("acc")
NAMESPACE = "mission-control:{acc}:rings"
FIRST, SECOND = ConversationId("a1:t1"), ConversationId("a2:-")


@pytest.fixture
def broker(redis_client: redis.Redis) -> RingBroker:
    return make_broker(redis_client, account=ACCOUNT)


@pytest.fixture
def bell(broker: RingBroker) -> DramatiqBell:
    return DramatiqBell(broker)


@pytest.fixture
def away() -> Iterator[redis.Redis]:
    """A client of a Redis that is not there."""
    client = connect(f"redis://127.0.0.1:{free_port()}/0", max_connections=2)
    yield client
    client.close()


def rings(client: redis.Redis) -> list[dict[str, object]]:
    ids = client.lrange(f"{NAMESPACE}:{QUEUE}", 0, -1)
    return [json.loads(client.hget(f"{NAMESPACE}:{QUEUE}.msgs", one)) for one in ids]


def test_rings_land_in_the_queue_of_the_account(
    bell: DramatiqBell, redis_client: redis.Redis
) -> None:
    """Whoever listens there is a worker of this account."""
    bell.ring([FIRST, SECOND])

    assert [ring["args"] for ring in rings(redis_client)] == [[FIRST], [SECOND]]
    assert {ring["actor_name"] for ring in rings(redis_client)} == {ACTOR}
    assert {ring["queue_name"] for ring in rings(redis_client)} == {QUEUE}


def test_every_key_carries_the_accounts_hash_tag(
    bell: DramatiqBell, redis_client: redis.Redis
) -> None:
    """Accounts that share a Redis do not hear each other, and a cluster keeps them together."""
    bell.ring([FIRST])

    assert all(key.decode().startswith(f"{NAMESPACE}:") for key in redis_client.scan_iter())


def test_a_ring_carries_nothing_but_the_conversation(
    bell: DramatiqBell, redis_client: redis.Redis
) -> None:
    """The mailbox is the truth; a ring may be lost, doubled or old."""
    bell.ring([FIRST])

    [ring] = rings(redis_client)
    assert (ring["args"], ring["kwargs"]) == ([FIRST], {})
    assert set(ring["options"]) <= {"redis_message_id"}
    assert set(ring) == {
        "queue_name", "actor_name", "args", "kwargs", "options", "message_id",
        "message_timestamp",
    }  # fmt: skip


def test_ringing_for_nobody_sends_nothing(bell: DramatiqBell, redis_client: redis.Redis) -> None:
    """Most polls find nothing."""
    bell.ring([])

    assert redis_client.keys() == []


def test_two_accounts_do_not_hear_each_other(bell: DramatiqBell, redis_client: redis.Redis) -> None:
    """They may share one Redis."""
    DramatiqBell(make_broker(redis_client, account=AccountId("other"))).ring([SECOND])

    assert rings(redis_client) == []
    assert bell is not None


def test_a_consumer_of_the_same_broker_hears_the_ring(
    bell: DramatiqBell, broker: RingBroker
) -> None:
    """Both sides of the queue are made by one function."""
    bell.ring([FIRST])
    consumer = broker.consume(QUEUE, timeout=1000)

    message = next(consumer)
    assert message is not None
    consumer.ack(message)
    consumer.close()

    assert message.args == (FIRST,)


def test_there_is_no_delay_queue(broker: RingBroker) -> None:
    """Rings are never delayed; polling for it would cost Redis for nothing."""
    assert broker.get_declared_queues() == {QUEUE}
    assert broker.get_declared_delay_queues() == set()


def test_a_ring_with_redis_away_is_told_once_and_never_raised(
    away: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """The sweeper rings again; a log full of it helps nobody."""
    bell = DramatiqBell(make_broker(away, account=ACCOUNT))

    with caplog.at_level(logging.DEBUG, logger="dispatcher"):
        bell.ring([FIRST])
        bell.ring([FIRST, SECOND])
        bell.ring([SECOND])

    [record] = [one for one in caplog.records if one.name.startswith("dispatcher")]
    assert record.levelno == logging.WARNING
    assert record.__dict__["action"] == "ring"
    assert "sweeper" in record.getMessage()


def test_a_second_outage_is_told_again(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """And in between the rings are heard."""
    folder = tmp_path_factory.mktemp("bell")
    server = RedisServer(folder).start()
    client = connect(server.url, max_connections=2)
    bell = DramatiqBell(make_broker(client, account=ACCOUNT))

    try:
        with caplog.at_level(logging.WARNING, logger="dispatcher"):
            bell.ring([FIRST])
            server.kill()
            bell.ring([FIRST])
            bell.ring([FIRST])
            server.start()
            bell.ring([SECOND])
            heard = [ring["args"] for ring in rings(client)]
            server.kill()
            bell.ring([FIRST])
    finally:
        client.close()
        server.kill()

    assert heard == [[SECOND]]
    assert len([one for one in caplog.records if one.name.startswith("dispatcher")]) == 2


def test_rings_that_nobody_hears_do_not_pile_up(
    bell: DramatiqBell, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweeper rings every minute for whoever waits, also when no worker runs for a week."""
    monkeypatch.setattr("dispatcher.adapters.bell._MOST_RINGS", 3)

    for _ in range(10):
        bell.ring([FIRST])

    assert len(rings(redis_client)) == 3
