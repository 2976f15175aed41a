"""Makes foreign text safe to stand in a prompt: it can be read there, but not speak for us."""

import re
from typing import Final

from dispatcher.domain.text import cut_units, without_lone_surrogates

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_DELIMITER: Final = re.compile(r"^[ \t]*={3,}.*$|^.*={3,}[ \t]*$", re.MULTILINE)
_RUN_OF_EQUALS: Final = re.compile(r"={3,}")
_OUR_LINE: Final = re.compile(
    r"^(?=[^\S\n]*(?:#+\s*Notification\s*:|(?:Task|Notification)\s+ID\s*:))",
    re.MULTILINE | re.IGNORECASE,
)
"""Headings of ours that tell an agent what it works on."""


def fenced(text: str, limit: int) -> str:
    """Make foreign text safe to stand between delimiters; nothing is deleted but controls.

    A line that begins or ends with a run of equal signs has its runs broken by blanks, and one that
    looks like a heading of ours is quoted.

    Returns:
        At most ``limit`` UTF-16 units; ``(empty)`` when there is nothing.
    """
    whole = without_lone_surrogates(text)
    clean = _CONTROL.sub("", whole.replace("\r\n", "\n").replace("\r", "\n")).strip()
    clean = _DELIMITER.sub(
        lambda line: _RUN_OF_EQUALS.sub(lambda run: " ".join(run.group()), line.group()), clean
    )
    return cut_units(_OUR_LINE.sub("> ", clean), limit) or "(empty)"


def one_line(text: str, limit: int) -> str:
    """Make a name or a title fit on one line."""
    flat = " ".join(_CONTROL.sub(" ", without_lone_surrogates(text)).split())
    return cut_units(_RUN_OF_EQUALS.sub(lambda run: " ".join(run.group()), flat), limit)
