"""`dispatcher dead-letters`: what was given up, and what to do about it."""

import json
from collections.abc import Callable
from functools import partial

import click

from dispatcher.cli.common import Exit, complain, operator_parts, without_tracebacks
from dispatcher.domain.dead_letter import DeadLetter
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import DeliveryId
from dispatcher.domain.journal import load


@click.group(name="dead-letters", short_help="List, show, revive, discard.")
def dead_letters() -> None:
    """Look at the deliveries that were given up, try them again, or forget them."""


@dead_letters.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
@without_tracebacks
def list_all(*, as_json: bool) -> int:
    """List the dead letters, the newest first."""
    with operator_parts() as parts:
        for letter in parts.controls.dead_letters():
            if as_json:
                click.echo(json.dumps(_as_json(letter)))
            else:
                click.echo(
                    f"{letter.died_at:%Y-%m-%d %H:%M:%S}  {letter.cause:20} {letter.delivery}"
                )
    return Exit.OK


@dead_letters.command()
@click.argument("delivery")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@without_tracebacks
def show(delivery: str, *, as_json: bool) -> int:
    """Show one dead letter with the last answer of its agent."""
    with operator_parts() as parts:
        letter = parts.controls.dead_letter(DeliveryId(delivery))
    if letter is None:
        complain(f"{delivery} is no dead letter.", Exit.FAILED)
    facts = _as_json(letter) | {"answer": _answer_of(letter)}
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            click.echo(f"{name:13} {value}")
    return Exit.OK


@dead_letters.command()
@click.argument("deliveries", metavar="DELIVERY...", nargs=-1, required=True)
@click.option("--fresh", is_flag=True, help="Forget stored answers and tool results: start over.")
@without_tracebacks
def revive(deliveries: tuple[str, ...], *, fresh: bool) -> int:
    """Try dead letters again, with fresh attempts; what their agents answered already is kept."""
    with operator_parts() as parts:
        try:
            return _for_each(deliveries, "revived", partial(parts.controls.revive, fresh=fresh))
        except JournalUnreadable as error:
            complain(f"{error}. Upgrade this one, or start over with --fresh.", Exit.FAILED)


@dead_letters.command()
@click.argument("deliveries", metavar="DELIVERY...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@without_tracebacks
def discard(deliveries: tuple[str, ...], *, yes: bool) -> int:
    """Forget dead letters for good: nobody will get an answer to them."""
    if not yes:
        click.confirm(f"Forget {len(deliveries)} dead letters for good?", abort=True)
    with operator_parts() as parts:
        return _for_each(deliveries, "discarded", parts.controls.discard)


def _for_each(names: tuple[str, ...], word: str, act: Callable[[DeliveryId], bool]) -> int:
    missing = [name for name in names if not act(DeliveryId(name))]
    for name in missing:
        click.echo(f"{name} is no dead letter.", err=True)
    click.echo(f"{len(names) - len(missing)} {word}.")
    return Exit.FAILED if missing else Exit.OK


def _as_json(letter: DeadLetter) -> dict[str, object]:
    return {
        "delivery": letter.delivery,
        "cause": letter.cause,
        "kind": letter.entry.kind.value,
        "agent": letter.entry.agent,
        "task": letter.entry.task,
        "attempts": letter.attempts + 1,
        "put": round(letter.put_at.timestamp() * 1000),
        "died": round(letter.died_at.timestamp() * 1000),
    }


def _answer_of(letter: DeadLetter) -> str | None:
    try:
        journal = load(letter.journal_text)
    except JournalUnreadable:
        return None
    return journal.reply.text if journal.reply else None
