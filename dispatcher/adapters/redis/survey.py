"""The store as people look at it; see the scripts ``places``, ``agents``, ``standing``, ``activity``."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from dispatcher.adapters.redis.forms import instant, pairs, record_of_facts
from dispatcher.adapters.redis.steps import Steps
from dispatcher.domain.activity import Activity, Slot
from dispatcher.domain.delivery import NotClaimed
from dispatcher.domain.ids import AgentId, DeliveryId
from dispatcher.domain.standing import (
    Asking,
    Level,
    Load,
    Places,
    Problem,
    Report,
    Standing,
    Where,
    Worker,
)
from dispatcher.domain.story import Record, event_of

_MINUTES: Final = 60
_QUARTERS: Final = 96


class RedisSurvey:
    """See ``dispatcher.ports.Survey``."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def places(self, where: Where, *, most: int) -> Places:
        """See ``Survey.places``."""
        now, total, *found = self._steps.run("places", where.value, most)
        at = instant(now)
        return Places(at=at, total=int(total), records=tuple(_record(one, at) for one in found))

    def loads(self, agents: Sequence[AgentId]) -> tuple[Load, ...]:
        """See ``Survey.loads``."""
        _, *found = self._steps.run("agents", *agents)
        return tuple(_load(one) for one in found)

    def standing(self) -> Standing:
        """See ``Survey.standing``."""
        now, totals, asking, workers, runtimes, leader, term, report, beats, *caps = (
            self._steps.run("standing")
        )
        return Standing(
            at=instant(now),
            totals={name: int(count) for name, count in pairs(totals).items()},
            asking=_asking(pairs(asking)),
            workers=tuple(_worker(workers[at : at + 3]) for at in range(0, len(workers), 3)),
            runtimes=int(runtimes),
            leader=leader.decode(),
            term=int(term),
            report=read_report(report),
            heartbeats=int(beats),
            cap=int(caps[0]),
            agent_cap=int(caps[1]),
        )

    def last_hour(self) -> Activity:
        """See ``Survey.last_hour``."""
        return self._activity("minute", _MINUTES)

    def last_day(self) -> Activity:
        """See ``Survey.last_day``."""
        return self._activity("quarter", _QUARTERS)

    def _activity(self, series: str, slots: int) -> Activity:
        now, length, *found = self._steps.run("activity", series, slots)
        length_ms = int(length)
        newest = int(now) // length_ms * length_ms
        return Activity(
            at=instant(now),
            length=timedelta(milliseconds=length_ms),
            slots=tuple(
                Slot(
                    began=instant(newest - back * length_ms),
                    counts={name: int(count) for name, count in pairs(flat).items()},
                )
                for back, flat in zip(range(len(found) - 1, -1, -1), found, strict=True)
            ),
        )


def dump_report(report: Report) -> str:
    """Write how a runtime finds itself."""
    return json.dumps({
        "at_ms": _ms(report.at),
        "polled_ms": _ms(report.polled_at),
        "version": report.version,
        "problems": [
            {"text": one.text, "remedy": one.remedy, "level": one.level, "runbook": one.runbook}
            for one in report.problems
        ],
    })  # fmt: skip


def read_report(text: bytes) -> Report | None:
    """Read what ``dump_report`` wrote; what another version wrote differently counts as nothing."""
    try:
        found = json.loads(text)
        return Report(
            at=instant(found["at_ms"]),
            version=str(found["version"]),
            polled_at=_instant(found["polled_ms"]),
            problems=tuple(
                Problem(
                    text=str(one["text"]),
                    remedy=str(one["remedy"]),
                    level=Level(one["level"]),
                    runbook=str(one["runbook"]),
                )
                for one in found["problems"]
            ),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _record(found: Sequence[Any], at: datetime) -> Record:
    delivery, reason, count, worker, claimed_at, told, *flat = found
    return record_of_facts(
        DeliveryId(delivery.decode()),
        pairs(flat),
        at=at,
        reason=NotClaimed(reason.decode()),
        head=DeliveryId(delivery.decode()),
        in_mailbox=int(count),
        worker=worker.decode(),
        claimed_at=_instant(claimed_at),
        events=(event_of(told.decode()),) if told else (),
    )


def _load(found: Sequence[Any]) -> Load:
    running, waiting, rests, cause, paused, due, ended = found
    return Load(
        running=int(running),
        waiting=int(waiting),
        rests_until=_instant(rests),
        rest_cause=cause.decode(),
        paused_since=_instant(paused),
        heartbeat_due=_instant(due),
        heartbeat_ended=_instant(ended),
    )


def _asking(facts: dict[str, str]) -> Asking:
    return Asking(
        answered_at=_instant(facts.get("answered_at")),
        error=facts.get("error"),
        failures=int(facts.get("failures", 0)),
        cause=facts.get("cause"),
        failed_at=_instant(facts.get("failed_at")),
    )


def _worker(found: Sequence[Any]) -> Worker:
    name, pulse, text = (part.decode() for part in found)
    try:
        facts = json.loads(text)
    except ValueError:
        facts = {}
    return Worker(
        name=name,
        pulse_at=instant(pulse),
        threads=int(facts.get("threads", 0)),
        version=str(facts.get("version", "unknown")),
    )


def _instant(ms: Any) -> datetime | None:  # noqa: ANN401 - Redis answers numbers in many types
    return instant(ms) if ms and float(ms) else None


def _ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
