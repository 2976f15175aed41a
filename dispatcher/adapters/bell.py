"""The Dramatiq broker, the names of queue and actor, and rings by name."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware

from dispatcher.domain.ids import AccountId, ConversationId

QUEUE: Final = "deliveries"
ACTOR: Final = "deliver"
IDLE_MS: Final = 350
"""How long an idle consumer sleeps at most between two looks; Dramatiq's own second is too slow."""
_SIGN_OF_LIFE_S: Final = 5.0
_MOST_RINGS: Final = 2_000
"""With so many unheard no more are made: without workers they would fill Redis."""

_log = logging.getLogger(__name__)


@contextmanager
def _lost_connections() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise ConnectionClosed(error) from None


class _Consumer(_RedisConsumer):
    """A consumer to which every trouble of Redis is a lost connection, which it waits out.

    Dramatiq's own knows only one kind of error, and tells of the others as defects.
    """

    def ack(self, message: Any) -> None:  # noqa: ANN401 - the base has no types
        with _lost_connections():
            super().ack(message)  # type: ignore[no-untyped-call]  # the base has no types

    def nack(self, message: Any) -> None:  # noqa: ANN401 - the base has no types
        with _lost_connections():
            super().nack(message)  # type: ignore[no-untyped-call]  # the base has no types

    def requeue(self, messages: Any) -> None:  # noqa: ANN401 - the base has no types
        with _lost_connections():
            super().requeue(messages)  # type: ignore[no-untyped-call]  # the base has no types

    def __next__(self) -> Any:  # noqa: ANN401 - the base has no types
        with _lost_connections():
            return super().__next__()  # type: ignore[no-untyped-call]  # the base has no types


class RingBroker(RedisBroker):
    """Dramatiq's Redis broker without what rings do not need.

    Rings are never delayed, so there is no delay queue to poll; and an idle consumer looks more
    often, because a person may be waiting.
    """

    _fetches_by = 0.0

    @property
    def consumer_class(self) -> type[_Consumer]:
        """The consumer that bears all troubles of Redis."""
        return _Consumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Any:  # noqa: ANN401
        """Consume with a short idle sleep; see ``RedisBroker.consume``."""
        return super().consume(queue_name, prefetch, min(timeout, IDLE_MS))

    def do_fetch(self, queue_name: str, count: int) -> Any:  # noqa: ANN401 - the base has no types
        """Fetch rings; a queue is asked for its length first, which costs a third of a fetch.

        Now and then it is fetched from all the same: that is a broker's sign of life.
        """
        now = time.monotonic()
        is_due = now >= self._fetches_by
        if not is_due and not self.client.llen(f"{self.namespace}:{queue_name}"):
            return []
        self._fetches_by = now + _SIGN_OF_LIFE_S
        return self._dispatch("fetch")(queue_name, count)  # type: ignore[no-untyped-call]  # the same

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue without its delay queue; see ``RedisBroker.declare_queue``."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)


def make_broker(
    client: redis.Redis, *, account: AccountId, middleware: Sequence[Middleware] = ()
) -> RingBroker:
    """Make the broker of an account; both sides of the queue use this one function."""
    broker = RingBroker(  # type: ignore[no-untyped-call]  # its base has no types
        client=client,
        namespace=f"mission-control:{{{account}}}:rings",
        middleware=list(middleware),
    )
    broker.declare_queue(QUEUE)
    return broker


class DramatiqBell:
    """See ``dispatcher.ports.Bell``."""

    def __init__(self, broker: RingBroker) -> None:
        self._broker = broker
        self._failing = threading.Event()

    def ring(self, conversations: Sequence[ConversationId]) -> None:
        """See ``Bell.ring``."""
        if not conversations:
            return
        try:
            if self._broker.client.llen(f"{self._broker.namespace}:{QUEUE}") >= _MOST_RINGS:
                # Nobody has heard those for long; whoever comes finds all mail with any of them.
                return
            for conversation in conversations:
                self._broker.enqueue(
                    dramatiq.Message(
                        queue_name=QUEUE,
                        actor_name=ACTOR,
                        args=(conversation,),
                        kwargs={},
                        options={},
                    )
                )
        except redis.RedisError as error:
            if not self._failing.is_set():
                _log.warning(
                    "rings are not heard (%s); the sweeper rings again once Redis is back",
                    type(error).__name__,
                    extra={"action": "ring"},
                )
            self._failing.set()
        else:
            self._failing.clear()
