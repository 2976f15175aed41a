"""How the verbs show things: rich on a terminal, plain when piped, JSON when asked."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatcher.domain.redact import redact
from dispatcher.domain.text import age, printable

_PIPED_WIDTH: Final = 200
"""Nobody wraps the lines of a pipe: they are cut by nobody and read by programs."""


def stdout() -> Console:
    """Give the standard output: with colours on a terminal, plain text in a pipe."""
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(width=width, highlight=False, soft_wrap=not sys.stdout.isatty())


def plain(text: object, style: str = "") -> Text:
    """Make foreign text harmless: no markup, no escape sequences, no secrets."""
    return Text(redact(printable(str(text))), style=style)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Draw a table without lines, two blanks between columns."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in heads:
        drawn.add_column(head, overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
    return drawn


def print_json(found: Any) -> None:  # noqa: ANN401 - JSON
    """Print one JSON document, in ASCII and without secrets."""
    click.echo(json.dumps(_without_secrets(found), indent=2))


def print_json_line(found: Any) -> None:  # noqa: ANN401 - JSON
    """Print one JSON object on a line of its own."""
    click.echo(json.dumps(_without_secrets(found)))


def _without_secrets(found: Any) -> Any:  # noqa: ANN401 - JSON
    match found:
        case dict():
            return {name: _without_secrets(value) for name, value in found.items()}
        case list() | tuple():
            return [_without_secrets(value) for value in found]
        case str():
            return redact(found)
        case _:
            return found


def since(at: datetime | None, now: datetime) -> str:
    """Say how long ago something was; a dash when it never was."""
    return "-" if at is None else age(now - at)


def milliseconds(at: datetime | None) -> int | None:
    """Write a time for JSON: Unix milliseconds."""
    return None if at is None else round(at.timestamp() * 1000)
