"""The one actor: decode a ring, call the flow, nothing else."""

import logging
from datetime import timedelta
from typing import Final

from dramatiq import Actor

from dispatcher.adapters.bell import ACTOR, QUEUE, RingBroker
from dispatcher.domain.errors import StoreError
from dispatcher.domain.ids import ConversationId
from dispatcher.flows.deliver import deliver
from dispatcher.flows.desk import Desk
from workers.lifecycle import Lifecycle

GOES_ON: Final = timedelta(seconds=10)
"""So long a thread goes on with what is due next, before it answers a ring again."""

_log = logging.getLogger(__name__)


def declare_actors(
    broker: RingBroker, *, desk: Desk, lifecycle: Lifecycle, time_limit: timedelta
) -> None:
    """Declare the actor on an explicit broker.

    Dramatiq's own retries are off: the mailbox store owns all trying again, and a lost ring is
    rung once more by the sweeper.
    """

    def answer(mailbox: str) -> None:
        if lifecycle.is_draining:
            return
        until = desk.clock.monotonic() + GOES_ON.total_seconds()

        def goes_on() -> bool:
            return not lifecycle.is_draining and desk.clock.monotonic() < until

        try:
            deliver(ConversationId(mailbox), desk=desk, goes_on=goes_on)
        except StoreError as error:
            _log.warning("nothing was claimed: %s", error, extra={"action": "claim"})

    Actor(
        answer,
        broker=broker,
        actor_name=ACTOR,
        queue_name=QUEUE,
        priority=0,
        options={"time_limit": round((time_limit + GOES_ON).total_seconds() * 1000)},
    )
