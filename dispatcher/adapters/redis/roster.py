"""The roster in Redis: one JSON text, written by the leader, read by everybody."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.mailboxes import refuse_the_past
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.ids import AgentId, SessionKey
from dispatcher.domain.notification import Agent
from dispatcher.domain.rights import dump_flags, load_flags
from dispatcher.domain.roster import Member, Roster

_FORM: Final = 1


class RedisRoster:
    """See ``dispatcher.ports.RosterStore``."""

    def __init__(self, client: redis.Redis, steps: Steps) -> None:
        self._client = client
        self._steps = steps

    def read(self) -> Roster | None:
        """See ``RosterStore.read``; one of another form counts as none."""
        with translated_errors():
            found = self._client.get(f"{self._steps.prefix}roster")
        if not isinstance(found, bytes):
            return None
        try:
            return _load(json.loads(found))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return None

    def write(self, roster: Roster, *, term: int) -> None:
        """See ``RosterStore.write``."""
        refuse_the_past(self._steps.run("set_roster", json.dumps(_dump(roster)), term))


def _dump(roster: Roster) -> dict[str, Any]:
    return {
        "form": _FORM,
        "version": roster.version,
        "heard_ms": round(roster.heard_at.timestamp() * 1000),
        "orchestrator": roster.orchestrator,
        "members": [_dump_member(one) for one in roster.members],
    }


def _dump_member(member: Member) -> dict[str, Any]:
    agent = member.agent
    return {
        "id": agent.agent_id,
        "name": agent.name,
        "slug": agent.slug,
        "role": agent.role,
        "may": dump_flags(member.flags),
        "session_key": member.session_key,
        "heartbeat_s": round(member.heartbeat.total_seconds()),
    }


def _load(found: dict[str, Any]) -> Roster:
    if found["form"] != _FORM:
        raise ValueError("a roster of another form")
    lead = found["orchestrator"]
    return Roster(
        version=int(found["version"]),
        heard_at=datetime.fromtimestamp(found["heard_ms"] / 1000, UTC),
        orchestrator=AgentId(lead) if lead else None,
        members=tuple(_load_member(one) for one in found["members"]),
    )


def _load_member(found: dict[str, Any]) -> Member:
    key = found["session_key"]
    return Member(
        agent=Agent(
            agent_id=AgentId(found["id"]),
            name=found["name"],
            slug=found["slug"],
            role=found["role"],
        ),
        flags=load_flags(found["may"]),
        session_key=SessionKey(key) if key else None,
        heartbeat=timedelta(seconds=found["heartbeat_s"]),
    )
