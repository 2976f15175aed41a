"""`dispatcher mailboxes`: the conversations that run, wait or rest, and why."""

import click

from dispatcher.cli.common import Exit, operator_parts, without_tracebacks
from dispatcher.cli.places import as_json, draw
from dispatcher.cli.screen import plain, print_json, stdout
from dispatcher.domain.standing import Where
from dispatcher.flows.overview import names_of


@click.command(short_help="List what runs, waits or rests, and why.")
@click.option("--running", "chosen", flag_value=Where.RUNNING.value, help="Only those that run.")
@click.option("--waiting", "chosen", flag_value=Where.WAITING.value, help="Only those that wait.")
@click.option("--resting", "chosen", flag_value=Where.RESTING.value, help="Only those that rest.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=100, show_default=True,
    help="List at most so many of each.",
)  # fmt: skip
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@without_tracebacks
def mailboxes(*, chosen: str | None, limit: int, is_json: bool) -> int:
    """List the mailboxes, one a conversation, by the delivery at the head of each.

    Running ones stand by how long they run, waiting ones in the order of the line, resting ones by
    when they are tried again. `mail` counts the deliveries in a mailbox: those behind the first
    one wait for it.
    """
    wanted = [Where(chosen)] if chosen else list(Where)
    with operator_parts() as parts:
        world, names = parts.mailboxes.world(), names_of(parts.roster.read())
        found = {where: parts.survey.places(where, most=limit) for where in wanted}
    if is_json:
        print_json({
            where.value: {
                "total": places.total,
                "mailboxes": [as_json(one, world, names) for one in places.records],
            }
            for where, places in found.items()
        })  # fmt: skip
        return Exit.OK
    screen = stdout()
    for where, places in found.items():
        screen.print(plain(f"{where.value.capitalize()}: {places.total}", "bold"))
        if places.records:
            screen.print(draw(where, places, world, names))
        if places.total > len(places.records):
            screen.print(plain(f"… and {places.total - len(places.records)} more; see --limit."))
    return Exit.OK
