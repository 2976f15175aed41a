"""The clock of heartbeats: plans them by the roster, and puts those that are due into mailboxes."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from dispatcher.domain.heartbeat import entry_of_heartbeat, first_wait
from dispatcher.domain.ids import AgentId
from dispatcher.domain.roster import Member, Roster
from dispatcher.runtime.leadership import STAND_BY, Leadership
from dispatcher.wiring import Parts

_LOOK: Final = timedelta(seconds=2)
_SPREAD_S: Final = 2.0
_PLAN_AGAIN_S: Final = 30.0
"""A Redis that lost its data has lost the plan as well."""
_NO_ROSTER: Final = -1


class HeartbeatClock:
    """Looks every two seconds, while this runtime leads and the gateway is there.

    A heartbeat is tried once: while the gateway starts, all would be missed.
    """

    def __init__(
        self, parts: Parts, leadership: Leadership, *, is_gateway_ready: Callable[[], bool]
    ) -> None:
        self._parts = parts
        self._leadership = leadership
        self._is_gateway_ready = is_gateway_ready
        self._planned: tuple[int, int] | None = None
        self._plan_at = 0.0
        self._known: frozenset[AgentId] | None = None

    def round(self) -> timedelta:
        """Plan what is new, and put what is due."""
        parts, term = self._parts, self._leadership.term()
        if not parts.settings.heartbeats:
            self._clear(term)
            return _LOOK
        if not self._is_gateway_ready():
            return _LOOK
        roster = parts.roster.read() if term is not None else None
        if term is None or roster is None:
            return STAND_BY
        now_s = parts.clock.monotonic()
        if self._planned != (term, roster.version) or now_s >= self._plan_at:
            self._plan(roster, term)
            self._planned, self._plan_at = (term, roster.version), now_s + _PLAN_AGAIN_S
        now, due = parts.heartbeats.take_due(term=term)
        if due:
            put = parts.mailboxes.put([entry_of_heartbeat(agent, now) for agent in due], term=term)
            parts.bell.ring(put.to_ring)
        return _LOOK

    def _clear(self, term: int | None) -> None:
        """Let nobody wait for heartbeats that are switched off; they may have been on before."""
        if term is not None and self._planned != (term, _NO_ROSTER):
            self._parts.heartbeats.plan([], term=term)
            self._planned = (term, _NO_ROSTER)

    def _plan(self, roster: Roster, term: int) -> None:
        awake = [one for one in roster.members if one.session_key is not None and one.agent.slug]
        self._parts.heartbeats.plan(
            [
                (
                    one.agent_id,
                    one.heartbeat,
                    self._spread(one, place, len(awake))
                    + timedelta(seconds=random.uniform(0, _SPREAD_S)),  # noqa: S311 - no secret
                )
                for place, one in enumerate(awake)
            ],
            term=term,
        )
        self._known = frozenset(one.agent_id for one in awake)

    def _spread(self, one: Member, place: int, of: int) -> timedelta:
        """Say how long a first heartbeat waits: whoever comes to a crew that we know, not at all."""
        if self._known is not None and one.agent_id not in self._known:
            return timedelta(0)
        return first_wait(place, of, one.heartbeat)
