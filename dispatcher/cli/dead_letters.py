"""`dispatcher dead-letters`: what was given up, and what to do about it."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from dispatcher.cli.common import Exit, complain, operator_parts, without_tracebacks
from dispatcher.cli.screen import milliseconds, plain, print_json, print_json_line, stdout, table
from dispatcher.domain.dead_letter import FILTERS, DeadLetter, Group, grouped, read_sieve
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import AgentId, DeliveryId
from dispatcher.domain.journal import load
from dispatcher.flows.overview import names_of
from dispatcher.wiring import Parts

_TELLS_EVERY = 100


@click.group(name="dead-letters", short_help="List, show, revive, discard.")
def dead_letters() -> None:
    """Look at the deliveries that were given up, try them again, or forget them.

    \b
    Examples:
      dispatcher dead-letters list --group
      dispatcher dead-letters revive --filter cause=ask_failed --filter agent=engineer --dry-run
      dispatcher dead-letters discard --filter older=7d
    """  # noqa: D301 - click's mark for lines that are not to be wrapped


_filter_option = click.option(
    "--filter", "filters", metavar="NAME=VALUE", multiple=True,
    help=f"Only those of a {', '.join(FILTERS[:-1])}, or older than 30m, 2h, 7d. All must hold.",
)  # fmt: skip


@dead_letters.command(name="list")
@_filter_option
@click.option("--group", "is_grouped", is_flag=True, help="Group them by cause and agent.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True,
    help="List at most so many.",
)  # fmt: skip
@click.option("--json", "is_json", is_flag=True, help="Print JSON, one object a line.")
@without_tracebacks
def list_all(*, filters: tuple[str, ...], is_grouped: bool, limit: int, is_json: bool) -> int:
    """List the dead letters, the newest first."""
    with operator_parts() as parts:
        names = names_of(parts.roster.read())
        chosen = _chosen(parts, filters, names)
    if is_grouped:
        _list_groups(grouped(chosen), names, is_json=is_json)
        return Exit.OK
    if is_json:
        for letter in chosen[:limit]:
            print_json_line(_as_json(letter))
        if len(chosen) > limit:
            click.echo(f"{len(chosen) - limit} more are left out; see --limit.", err=True)
        return Exit.OK
    rows = [
        (f"{one.died_at:%Y-%m-%d %H:%M:%S}", one.cause, names.get(one.entry.agent, one.entry.agent),
         one.entry.kind.value, one.attempts + 1, one.delivery)
        for one in chosen[:limit]
    ]  # fmt: skip
    screen = stdout()
    if rows:
        screen.print(table(("died (UTC)", "cause", "agent", "kind", "attempts", "delivery"), rows))
    if len(chosen) > limit:
        screen.print(plain(f"… and {len(chosen) - limit} more; see --limit and --group."))
    return Exit.OK


@dead_letters.command()
@click.argument("delivery")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@without_tracebacks
def show(delivery: str, *, is_json: bool) -> int:
    """Show one dead letter with the last answer of its agent."""
    with operator_parts() as parts:
        letter = parts.controls.dead_letter(DeliveryId(delivery))
    if letter is None:
        complain(f"{delivery} is no dead letter.", Exit.FAILED)
    facts = _as_json(letter) | {"answer": _answer_of(letter)}
    if is_json:
        print_json(facts)
    else:
        stdout().print(table(("", ""), [(name, value) for name, value in facts.items()]))
    return Exit.OK


def _bulk(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what the verbs that change many share."""
    for option in (
        click.option("--json", "is_json", is_flag=True, help="Print JSON."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option(
            "--rate", type=click.FloatRange(0.01, 10_000), metavar="N",
            help="At most N a second.",
        ),
        click.option("--dry-run", is_flag=True, help="Only say which ones are meant."),
        click.option("--all", "everything", is_flag=True, help="All of them."),
        _filter_option,
        click.argument("deliveries", metavar="[DELIVERY]...", nargs=-1),
    ):  # fmt: skip
        command = option(command)
    return command


@dead_letters.command()
@_bulk
@click.option("--fresh", is_flag=True, help="Forget stored answers and tool results: start over.")
@without_tracebacks
def revive(*, fresh: bool, **how: Any) -> int:  # noqa: ANN401 - click checks them
    """Try dead letters again, with fresh attempts; what their agents answered already is kept.

    Name them, or choose them with --filter or --all.
    """
    warning = " Their stored answers are forgotten and paid for again." if fresh else ""
    with operator_parts() as parts:
        act = partial(parts.controls.revive, fresh=fresh)
        words = ("Revive", "revived")
        return _for_each(parts, act, _Choice(**how), words=words, warning=warning)


@dead_letters.command()
@_bulk
@without_tracebacks
def discard(**how: Any) -> int:  # noqa: ANN401 - click checks them
    """Forget dead letters for good: nobody will get an answer to them.

    Name them, or choose them with --filter or --all.
    """
    with operator_parts() as parts:
        warning = " Nobody gets an answer to them then."
        words = ("Discard", "discarded")
        return _for_each(
            parts, parts.controls.discard, _Choice(**how), words=words, warning=warning
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Which dead letters an operator means, and how they are to be treated."""

    deliveries: tuple[str, ...]
    filters: tuple[str, ...]
    everything: bool
    dry_run: bool
    rate: float | None
    yes: bool
    is_json: bool


def _for_each(
    parts: Parts,
    act: Callable[[DeliveryId], bool],
    choice: _Choice,
    *,
    words: tuple[str, str],
    warning: str,
) -> int:
    if sum((bool(choice.deliveries), bool(choice.filters), choice.everything)) != 1:
        raise click.UsageError("Name dead letters, or choose them with --filter or --all.")
    names = names_of(parts.roster.read())
    wanted = [DeliveryId(one) for one in choice.deliveries] or [
        letter.delivery for letter in _chosen(parts, choice.filters, names)
    ]
    if choice.dry_run:
        _tell_dry(wanted, words[1], is_json=choice.is_json)
        return Exit.OK
    is_risky = bool(warning) or not choice.deliveries
    if wanted and is_risky and not choice.yes:
        click.confirm(f"{words[0]} {_count(len(wanted))}?{warning}", abort=True, err=True)
    missing, kept = _act(wanted, act, rate=choice.rate)
    for name in missing:
        click.echo(f"{name} is no dead letter.", err=True)
    for problem in kept:
        click.echo(problem, err=True)
    done = len(wanted) - len(missing) - len(kept)
    if choice.is_json:
        print_json({words[1]: done, "missing": missing, "refused": kept})
    else:
        click.echo(f"{done} {words[1]}.")
    return Exit.FAILED if missing or kept else Exit.OK


def _act(
    wanted: Sequence[DeliveryId], act: Callable[[DeliveryId], bool], *, rate: float | None
) -> tuple[list[str], list[str]]:
    """Act on each; return those that are no dead letters, and why some could not be had."""
    missing: list[str] = []
    refused: list[str] = []
    for number, delivery in enumerate(wanted, start=1):
        try:
            if not act(delivery):
                missing.append(delivery)
        except JournalUnreadable as error:
            refused.append(f"{delivery}: {error}. Upgrade this one, or start over with --fresh.")
        if number % _TELLS_EVERY == 0 and number < len(wanted):
            click.echo(f"{number} of {len(wanted)} …", err=True)
        if rate is not None and number < len(wanted):
            time.sleep(1 / rate)
    return missing, refused


def _tell_dry(wanted: Sequence[DeliveryId], word: str, *, is_json: bool) -> None:
    if is_json:
        print_json({"wouldBe": word, "deliveries": wanted})
        return
    for delivery in itertools.islice(wanted, _TELLS_EVERY):
        click.echo(delivery)
    if len(wanted) > _TELLS_EVERY:
        click.echo(f"… and {len(wanted) - _TELLS_EVERY} more.")
    click.echo(f"{_count(len(wanted))} would be {word}.")


def _chosen(
    parts: Parts, filters: Sequence[str], names: Mapping[AgentId, str]
) -> list[DeadLetter]:  # fmt: skip
    try:
        sieve = read_sieve(filters, names)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    now = parts.clock.now()
    return [one for one in parts.controls.dead_letters() if sieve.lets_through(one, now=now)]


def _list_groups(
    groups: Sequence[Group], names: Mapping[AgentId, str], *, is_json: bool
) -> None:  # fmt: skip
    if is_json:
        for group in groups:
            print_json_line({
                "cause": group.cause,
                "agent": group.agent,
                "slug": names.get(group.agent),
                "count": len(group.letters),
                "oldest": milliseconds(group.oldest),
                "newest": milliseconds(group.newest),
            })  # fmt: skip
        return
    rows = [
        (len(one.letters), one.cause, names.get(one.agent, one.agent),
         f"{one.oldest:%m-%d %H:%M}", f"{one.newest:%m-%d %H:%M}", one.letters[0].delivery)
        for one in groups
    ]  # fmt: skip
    if rows:
        heads = ("count", "cause", "agent", "oldest (UTC)", "newest (UTC)", "for example")
        stdout().print(table(heads, rows))


def _count(number: int) -> str:
    return f"{number} dead letter{'' if number == 1 else 's'}"


def _as_json(letter: DeadLetter) -> dict[str, object]:
    return {
        "delivery": letter.delivery,
        "cause": letter.cause,
        "kind": letter.entry.kind.value,
        "agent": letter.entry.agent,
        "task": letter.entry.task,
        "attempts": letter.attempts + 1,
        "put": milliseconds(letter.put_at),
        "died": milliseconds(letter.died_at),
    }


def _answer_of(letter: DeadLetter) -> str | None:
    try:
        journal = load(letter.journal_text)
    except JournalUnreadable:
        return None
    return journal.reply.text if journal.reply else None
