"""How mailboxes are shown: those that run, wait or rest, each by the delivery at its head."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.table import Table

from dispatcher.cli.screen import milliseconds, since, table
from dispatcher.domain.ids import AgentId
from dispatcher.domain.standing import Places, Where
from dispatcher.domain.story import Record, next_step, sentence, short_reason
from dispatcher.domain.text import age
from dispatcher.domain.world import World


def draw(where: Where, places: Places, world: World, names: Mapping[AgentId, str]) -> Table:
    """Draw the mailboxes that stand somewhere."""
    now = places.at
    heads: tuple[str, ...]
    rows: list[tuple[object, ...]]
    match where:
        case Where.RUNNING:
            heads = ("agent", "kind", "step", "for", "mail", "worker", "delivery")
            rows = [
                (*_who(one, names), _step(one), since(one.claimed_at, now), one.in_mailbox,
                 one.worker, one.delivery)
                for one in places.records
            ]  # fmt: skip
        case Where.WAITING:
            heads = ("agent", "kind", "why", "for", "mail", "delivery", "next")
            rows = [
                (*_who(one, names), short_reason(one), since(one.put_at, now), one.in_mailbox,
                 one.delivery, next_step(one, world))
                for one in places.records
            ]  # fmt: skip
        case Where.RESTING:
            heads = ("agent", "kind", "why", "again in", "attempts", "mail", "delivery")
            rows = [
                (*_who(one, names), one.cause, _until(one.due, now), one.attempts,
                 one.in_mailbox, one.delivery)
                for one in places.records
            ]  # fmt: skip
    return table(heads, rows)


def as_json(record: Record, world: World, names: Mapping[AgentId, str]) -> dict[str, Any]:
    """Give what is known of one mailbox."""
    entry = record.entry
    return {
        "delivery": record.delivery,
        "conversation": entry.conversation if entry else None,
        "agent": entry.agent if entry else None,
        "slug": names.get(entry.agent) if entry else None,
        "task": entry.task if entry else None,
        "kind": entry.kind.value if entry else None,
        "state": record.state.value if record.state else "over",
        "reason": record.reason.value if record.reason else None,
        "why": short_reason(record),
        "next": next_step(record, world),
        "step": _step(record),
        "cause": record.cause or None,
        "attempts": record.attempts,
        "put": milliseconds(record.put_at),
        "claimed": milliseconds(record.claimed_at),
        "due": milliseconds(record.due),
        "worker": record.worker or None,
        "inMailbox": record.in_mailbox,
    }


def _who(record: Record, names: Mapping[AgentId, str]) -> tuple[str, str]:
    entry = record.entry
    return (names.get(entry.agent, entry.agent), entry.kind.value) if entry else ("?", "?")


def _step(record: Record) -> str:
    return sentence(record.events[-1]) if record.events else ""


def _until(at: datetime | None, now: datetime) -> str:
    return "-" if at is None else age(at - now)
