"""The plan of heartbeats in Redis."""

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.forms import instant, milliseconds
from dispatcher.adapters.redis.mailboxes import refuse_the_past
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.ids import AgentId

_AT_ONCE: Final = 100
_JITTER_MS: Final = 30_000


class RedisHeartbeats:
    """See ``dispatcher.ports.Heartbeats``."""

    def __init__(self, client: redis.Redis, steps: Steps) -> None:
        self._client = client
        self._steps = steps

    def plan(self, agents: Sequence[tuple[AgentId, timedelta, timedelta]], *, term: int) -> None:
        """See ``Heartbeats.plan``."""
        forms = [
            {"a": agent, "every": milliseconds(every), "first": milliseconds(first)}
            for agent, every, first in agents
        ]
        refuse_the_past(self._steps.run("plan_heartbeats", json.dumps(forms), term))

    def take_due(self, *, term: int) -> tuple[datetime, tuple[AgentId, ...]]:
        """See ``Heartbeats.take_due``."""
        now, *agents = self._steps.run("due_heartbeats", _AT_ONCE, term)
        refuse_the_past(int(now))
        return instant(now), tuple(AgentId(agent.decode()) for agent in agents)

    def end(self, agent: AgentId, *, seen: str) -> None:
        """See ``Heartbeats.end``."""
        jitter_ms = round(random.random() * _JITTER_MS)  # noqa: S311 - jitter, not a secret
        self._steps.run("end_heartbeat", agent, jitter_ms, seen)

    def seen(self, agent: AgentId) -> str:
        """See ``Heartbeats.seen``."""
        with translated_errors():
            found = self._client.hget(f"{self._steps.prefix}heartbeat_seen", agent)
        return found.decode() if isinstance(found, bytes) else ""
