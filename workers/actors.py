"""The one actor: decode a ring, call the flow, nothing else."""

import logging
from datetime import timedelta

from dramatiq import Actor

from dispatcher.adapters.bell import ACTOR, QUEUE, RingBroker
from dispatcher.domain.errors import StoreError
from dispatcher.domain.ids import ConversationId
from dispatcher.flows.deliver import deliver
from dispatcher.flows.desk import Desk
from workers.lifecycle import Lifecycle

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
        try:
            deliver(ConversationId(mailbox), desk=desk)
        except StoreError as error:
            _log.warning("nothing was claimed: %s", error, extra={"action": "claim"})

    Actor(
        answer,
        broker=broker,
        actor_name=ACTOR,
        queue_name=QUEUE,
        priority=0,
        options={"time_limit": round(time_limit.total_seconds() * 1000)},
    )
