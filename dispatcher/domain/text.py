"""Text as the backend counts and cuts it: in UTF-16 code units, without lone surrogates."""

from typing import Final

ELLIPSIS = "…"
MESSAGE_UNITS: Final = 100_000
CUT_NOTE: Final = "\n\n… (cut: the reply was longer than a message may be)"


def utf16_units(text: str) -> int:
    """Count the UTF-16 code units of a text: a character outside the basic plane counts two."""
    return len(text) + sum(1 for character in text if ord(character) > 0xFFFF)


def without_lone_surrogates(text: str) -> str:
    """Replace each unpaired surrogate by U+FFFD, so that the text can be sent as UTF-8.

    A pair of surrogates that stands for one character becomes that character.
    """
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
