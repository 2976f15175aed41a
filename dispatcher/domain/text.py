"""Text as the backend counts and cuts it: in UTF-16 code units, without lone surrogates."""

import re
from datetime import timedelta
from typing import Final

ELLIPSIS = "…"
MESSAGE_UNITS: Final = 100_000
CUT_NOTE: Final = "\n\n… (cut: the reply was longer than a message may be)"

_UNPRINTABLE: Final = re.compile(
    # Escape sequences of terminals as a whole, then whatever else steers one or turns text round.
    "\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[@-_]?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    """Take out what would steer a terminal or turn text round; line ends and tabs stay."""
    return text if text.isprintable() else _UNPRINTABLE.sub("", text)


def utf16_units(text: str) -> int:
    """Count the UTF-16 code units of a text: a character outside the basic plane counts two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def without_lone_surrogates(text: str) -> str:
    """Replace each unpaired surrogate by U+FFFD, so that the text can be sent as UTF-8.

    A pair of surrogates that stands for one character becomes that character.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def cut_units(text: str, limit: int, *, mark: str = ELLIPSIS) -> str:
    """Shorten a text to at most ``limit`` UTF-16 units, between characters, ending in ``mark``.

    A text that fits is returned as it is. The mark counts towards the limit.
    """
    if utf16_units(text) <= limit:
        return text
    room = limit - utf16_units(mark)
    end = units = 0
    for end, character in enumerate(text):  # noqa: B007 - the index outlives the loop on purpose
        units += 2 if ord(character) > 0xFFFF else 1
        if units > room:
            break
    return text[:end].rstrip() + mark


def as_posted(text: str) -> str:
    """Return a message as it will stand in the thread: cut at the backend's limit, with a note."""
    return cut_units(without_lone_surrogates(text), MESSAGE_UNITS, mark=CUT_NOTE)


def age(duration: timedelta) -> str:
    """Say how long, in the unit that fits: ``3 s``, ``12 min``, ``2.5 h``, ``4 d``."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"
