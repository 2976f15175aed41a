"""The connection to Redis: pools, retries and time-outs spelled out, errors translated."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dispatcher.domain.errors import StoreUnavailable, StoreUnusable

_TIMEOUT_S: Final = 5.0
_OLDEST: Final = (6, 2)


class OnePerThread(redis.ConnectionPool):
    """Gives each thread a connection of its own: nobody queues for one, and a lock less is taken.

    A connection lives as long as its thread; there are as many as threads that use the store.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the base's options
        super().__init__(**options)
        self._mine = threading.local()
        self._all: WeakSet[Any] = WeakSet()

    def get_connection(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - the base's types
        """Return the calling thread's connection, connected and with nothing left to read."""
        found = getattr(self._mine, "connection", None)
        if found is None:
            found = self._mine.connection = self.connection_class(**self.connection_kwargs)
            self._all.add(found)
        found.connect()
        try:
            # An answer that nobody read, or the end of it: it must not be taken for the next one.
            is_fresh = not found.can_read()
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            is_fresh = False
        if not is_fresh:
            found.disconnect()
            found.connect()
        return found

    def release(self, connection: Any) -> None:  # noqa: ANN401 - the base's types
        """Leave the connection with its thread."""

    def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002, ARG002 - the base's
        """Close the connections of all threads."""
        for connection in list(self._all):
            connection.disconnect()


def connect(
    url: str, *, max_connections: int | None = None, timeout_s: float = _TIMEOUT_S
) -> redis.Redis:
    """Make a client; nothing is sent yet.

    A call that lost its connection is repeated once, at once: every step of the store is safe to
    run twice, and a restarted Redis leaves each open connection broken exactly once.

    Args:
        url: Of Redis.
        max_connections: So many are shared by all threads; unless given, each has its own.
        timeout_s: How long a connection, or an answer, is waited for.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "health_check_interval": 0,
        # Two round trips for each connection, to tell Redis the name of a library.
        "driver_info": None,
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [redis.ConnectionError],
    }
    if max_connections is None:
        return redis.Redis(connection_pool=OnePerThread.from_url(url, **options))
    pool = redis.BlockingConnectionPool.from_url(
        url, max_connections=max_connections, timeout=timeout_s, **options
    )
    return redis.Redis(connection_pool=pool)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the errors of redis-py into ours."""
    try:
        yield
    except redis.RedisError as error:
        # The text of a script error may quote arguments; the class says enough.
        raise StoreUnavailable(f"Redis: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class ServerState:
    """How safe the mailboxes are on a server.

    Attributes:
        is_safe: It evicts nothing, keeps an append-only file, and could write it last time.
        limit_bytes: 0 when there is none.
    """

    is_safe: bool
    used_bytes: int
    limit_bytes: int


def server_state(client: redis.Redis) -> ServerState:
    """Ask a server how safe the mailboxes are on it.

    Raises:
        StoreUnavailable: It cannot be reached.
    """
    with translated_errors():
        info: dict[str, Any] = client.info()
    return ServerState(
        is_safe=bool(info.get("aof_enabled"))
        and str(info.get("maxmemory_policy", "noeviction")) == "noeviction"
        and str(info.get("aof_last_write_status", "ok")) == "ok",
        used_bytes=int(info.get("used_memory", 0)),
        limit_bytes=int(info.get("maxmemory", 0)),
    )


def check_server(client: redis.Redis, *, allow_volatile: bool) -> str:
    """Make sure that mailboxes survive on this server; return its version.

    Raises:
        StoreUnavailable: It cannot be reached.
        StoreUnusable: It is too old, evicts keys, or keeps nothing on disk.
    """
    with translated_errors():
        info: dict[str, Any] = client.info()
    if info.get("loading"):
        # Until it has read its file it says that it keeps none.
        raise StoreUnavailable("Redis is loading its data")
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise StoreUnusable(f"Redis {version} is too old; 6.2 or later is needed.")
    if allow_volatile:
        return version
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        raise StoreUnusable(
            f"Redis may evict keys (maxmemory-policy {policy}), which loses deliveries. "
            "Set it to noeviction, or ALLOW_VOLATILE_REDIS=true for a test."
        )
    if not info.get("aof_enabled"):
        raise StoreUnusable(
            "Redis does not keep an append-only file, so a restart forgets deliveries. "
            "Set appendonly yes, or ALLOW_VOLATILE_REDIS=true for a test."
        )
    return version
