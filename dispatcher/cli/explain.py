"""`dispatcher explain ID`: the whole story of a notification, delivery or dead letter."""

from collections.abc import Iterable
from typing import Any

import click

from dispatcher.cli.common import Exit, operator_parts, without_tracebacks
from dispatcher.cli.screen import milliseconds, print_json
from dispatcher.domain.story import Record, next_step, sentence, short_reason, whereabouts
from dispatcher.domain.text import printable
from dispatcher.flows.explain import Explanation
from dispatcher.flows.explain import explain as look_up
from dispatcher.flows.overview import names_of


@click.command(short_help="Tell the story of a notification.")
@click.argument("name", metavar="ID")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@without_tracebacks
def explain(name: str, *, is_json: bool) -> int:
    """Tell the whole story of a notification: what happened, where it is, what happens next.

    ID is the id of a notification, of its message, of a delivery (NOTIFICATION:MESSAGE), of a task
    or of a conversation (AGENT:TASK). Times are in UTC. Ends with exit code 1 when nothing is known.
    """
    with operator_parts() as parts:
        found = look_up(
            name,
            records=parts.records,
            mailboxes=parts.mailboxes,
            backend=parts.backend,
            agents=list(names_of(parts.roster.read())),
        )
    if is_json:
        print_json(_as_json(found))
    else:
        click.echo(printable("\n".join(_as_text(found))))
    return Exit.OK if found.records else Exit.FAILED


def _as_text(found: Explanation) -> Iterable[str]:
    for record in found.records:
        yield from _record_text(record, found)
        yield ""
    if not found.records:
        yield f"Nothing is known here of {found.name}."
        yield "A listed notification gets here with the next poll; settled ones are remembered"
        yield "for 24 hours after they were last listed."
    if found.backend:
        yield found.backend


def _record_text(record: Record, found: Explanation) -> Iterable[str]:
    yield f"Delivery {record.delivery}"
    entry = record.entry
    if entry is not None:
        yield f"  {entry.kind.value} for agent {entry.agent}, task {entry.task or 'none'}"
    for event in record.events:
        yield f"  {event.at:%Y-%m-%d %H:%M:%S}.{event.at.microsecond // 1000:03}  {sentence(event)}"
    yield f"  Now:  {whereabouts(record)}"
    yield f"  Next: {next_step(record, found.world)}"


def _as_json(found: Explanation) -> dict[str, Any]:
    return {
        "id": found.name,
        "backend": found.backend,
        "deliveries": [
            {
                "delivery": record.delivery,
                "state": record.state.value if record.state else "over",
                "reason": record.reason.value if record.reason else None,
                "why": short_reason(record),
                "cause": record.cause or None,
                "attempts": record.attempts,
                "strikes": record.strikes,
                "due": milliseconds(record.due),
                "worker": record.worker or None,
                "now": whereabouts(record),
                "next": next_step(record, found.world),
                "events": [
                    {"at": milliseconds(event.at), "step": event.word, "text": sentence(event)}
                    for event in record.events
                ],
            }
            for record in found.records
        ],
    }
