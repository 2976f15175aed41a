"""`dispatcher config`: which settings count, where each came from, and whether they can be used."""

from pathlib import Path

import click

from dispatcher.cli.common import Exit, complain, without_tracebacks
from dispatcher.cli.screen import plain, print_json, stdout, table
from dispatcher.domain.errors import SettingsInvalid
from dispatcher.settings import load_settings, misspelt_names
from dispatcher.settings.showing import Shown, shown_settings

_ENV_FILE = Path(".env")


@click.group(short_help="Show or check the settings.")
def config() -> None:
    """Show which settings count and where each came from, or check them."""


@config.command()
@click.option("--changed", is_flag=True, help="Only those that are not at their default.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@without_tracebacks
def show(*, changed: bool, is_json: bool) -> int:
    """Show the effective value of every setting and where it came from; secrets are masked."""
    try:
        found = shown_settings(load_settings(_ENV_FILE), _ENV_FILE)
    except SettingsInvalid as error:
        complain(str(error), Exit.CONFIG)
    wanted = [one for one in found if one.source != "default" or not changed]
    if is_json:
        print_json({one.name: {"value": one.value, "from": one.source} for one in wanted})
    else:
        stdout().print(table(("setting", "value", "from"), [_row(one) for one in wanted]))
    return Exit.OK


@config.command()
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@without_tracebacks
def check(*, is_json: bool) -> int:
    """Check the settings: what is wrong, what is odd. Nothing is connected to.

    Ends with exit code 0 when they can be used and 78 otherwise.
    """
    problems: tuple[str, ...] = ()
    notes = list(misspelt_names(_ENV_FILE))
    try:
        notes += load_settings(_ENV_FILE).notes
    except SettingsInvalid as error:
        problems = error.problems
    if is_json:
        print_json({"usable": not problems, "problems": problems, "notes": notes})
        return Exit.CONFIG if problems else Exit.OK
    screen = stdout()
    for text in problems:
        screen.print(plain(f"wrong  {text}", "red"))
    for text in notes:
        screen.print(plain(f"odd    {text}", "yellow"))
    screen.print(plain("The settings cannot be used." if problems else "The settings can be used."))
    return Exit.CONFIG if problems else Exit.OK


def _row(one: Shown) -> tuple[object, ...]:
    name = plain(one.name, "bold" if one.source != "default" else "")
    return name, "" if one.value is None else one.value, one.source
