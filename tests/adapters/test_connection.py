"""The connection to Redis: which servers may be used, which errors come, and that it survives."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from dispatcher.adapters.redis.connection import check_server, connect, translated_errors
from dispatcher.domain.errors import StoreUnavailable, StoreUnusable
from dispatcher.lab.redis_server import RedisServer, free_port


@pytest.fixture
def client_of() -> Iterator[Callable[..., redis.Redis]]:
    """Make clients; all are closed after the test."""
    made: list[redis.Redis] = []

    def make(url: str, *, max_connections: int = 4) -> redis.Redis:
        made.append(connect(url, max_connections=max_connections))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def private(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that keeps its data and may be killed."""
    server = RedisServer(tmp_path, append_only=True).start()
    yield server
    server.kill()


@pytest.fixture
def evicting(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    yield redis_client
    redis_client.config_set("maxmemory-policy", "noeviction")


@pytest.fixture
def keeping(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    """The shared server, with an append-only file for a while."""
    redis_client.config_set("appendonly", "yes")
    yield redis_client
    redis_client.config_set("appendonly", "no")


def test_a_server_that_keeps_everything_may_be_used(private: RedisServer, client_of) -> None:
    """Its version is told."""
    version = check_server(client_of(private.url), allow_volatile=False)

    assert version.split(".")[0].isdigit()


def test_an_evicting_server_is_refused(evicting: redis.Redis) -> None:
    """It would throw away deliveries when its memory is full."""
    with pytest.raises(StoreUnusable, match="allkeys-lru"):
        check_server(evicting, allow_volatile=False)


def test_an_evicting_server_is_refused_even_when_it_keeps_a_file(
    evicting: redis.Redis, keeping: redis.Redis
) -> None:
    """What was evicted is gone from the file as well."""
    with pytest.raises(StoreUnusable, match="maxmemory-policy"):
        check_server(keeping, allow_volatile=False)


def test_a_server_without_append_only_file_is_refused(redis_client: redis.Redis) -> None:
    """A restart would forget deliveries; the text says what to do."""
    with pytest.raises(StoreUnusable, match="appendonly yes"):
        check_server(redis_client, allow_volatile=False)


def test_a_volatile_server_is_allowed_for_a_test(evicting: redis.Redis) -> None:
    """When the operator says so."""
    assert check_server(evicting, allow_volatile=True)


def test_a_server_that_is_away_is_unavailable_not_unusable(client_of) -> None:
    """It may come back; nobody has to change anything."""
    client = client_of(f"redis://127.0.0.1:{free_port()}/0")

    with pytest.raises(StoreUnavailable):
        check_server(client, allow_volatile=True)


def test_nothing_is_sent_before_it_is_needed(client_of) -> None:
    """A process can be put together while Redis is still away."""
    client_of(f"redis://127.0.0.1:{free_port()}/0")


def test_errors_are_ours_and_quote_nothing(redis_client: redis.Redis) -> None:
    """A script's error may quote its arguments, and those may hold a session key."""
    with pytest.raises(StoreUnavailable) as raised, translated_errors():
        redis_client.eval("return redis.error_reply('task:secret:agent')", 0)

    assert "secret" not in str(raised.value)
    assert isinstance(raised.value.__cause__, redis.RedisError)


def test_a_wrong_password_is_not_shown(client_of, private: RedisServer) -> None:
    """Neither the one in the URL nor the one that is wanted."""
    client_of(private.url).config_set("requirepass", "swordfish")
    client = client_of(f"redis://:hunter2@127.0.0.1:{private.port}/0")

    with pytest.raises(StoreUnavailable) as raised, translated_errors():
        client.ping()

    assert "hunter2" not in str(raised.value)
    assert "swordfish" not in str(raised.value)


def test_an_exhausted_pool_is_unavailable(client_of, private: RedisServer) -> None:
    """It waits for a while and then says so, instead of opening ever more connections."""
    client = client_of(private.url, max_connections=1)
    client.connection_pool.timeout = 0.05
    taken = client.connection_pool.get_connection()

    with pytest.raises(StoreUnavailable), translated_errors():
        client.ping()

    client.connection_pool.release(taken)
    assert client.ping()


def test_other_errors_pass_through() -> None:
    """A defect of ours is no trouble of Redis."""
    with pytest.raises(ZeroDivisionError), translated_errors():
        _ = 1 / 0


def test_a_restarted_server_is_survived_by_the_same_client(private: RedisServer, client_of) -> None:
    """Each pooled connection is broken exactly once; nobody above notices."""
    client = client_of(private.url, max_connections=8)
    client.set("kept", "yes")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.ping(), range(64)))

    private.kill()
    private.start()

    assert check_server(client, allow_volatile=False)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: client.ping(), range(64)))
    assert client.get("kept") == b"yes"


def test_while_the_server_is_away_calls_fail_and_afterwards_they_work(
    private: RedisServer, client_of
) -> None:
    """No client has to be made anew."""
    client = client_of(private.url)
    client.ping()
    private.kill()

    with pytest.raises(StoreUnavailable), translated_errors():
        client.ping()
    private.start()

    with translated_errors():
        assert client.ping()


def test_a_script_survives_a_restart_that_forgot_it(private: RedisServer, client_of) -> None:
    """The server keeps data, not scripts."""
    client = client_of(private.url)
    script = client.register_script("return 'ok'")
    script()
    private.kill()
    private.start()

    assert script() == b"ok"
