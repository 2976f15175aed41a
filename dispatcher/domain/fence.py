"""Makes foreign text safe to stand in a prompt: it can be read there, but not speak for us."""

import re
from typing import Final

from dispatcher.domain.text import cut_units, without_lone_surrogates

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
"""What nobody sees and what turns text around; the joiners that emoji and scripts need stay."""
_EDGE: Final = re.compile(r"^[^\S\n]*={3,}.*$|^.*={3,}[^\S\n]*$", re.MULTILINE)
_RUN_AT_EDGE: Final = re.compile(r"={3,}")
_RUN: Final = re.compile("[=\uff1d](?:[\u200c\u200d\ufe00-\ufe0f]*[=\uff1d]){3,}")
_OUR_LINE: Final = re.compile(
    r"^(?=(?:[^\w\n]|_)*(?:Notification|Task)(?:[^\S\n]+ID)?(?:[^\w\n]|_)*:)",
    re.MULTILINE | re.IGNORECASE,
)
"""Headings of ours that tell an agent what it works on."""


def fenced(text: str, limit: int) -> str:
    """Make foreign text safe to stand between delimiters; nothing is deleted but controls.

    Long runs of equal signs are broken by blanks wherever they stand, short ones where a line begins
    or ends with one, and a line that looks like a heading of ours is quoted.

    Returns:
        At most ``limit`` UTF-16 units; ``(empty)`` when there is nothing.
    """
    whole = without_lone_surrogates(text)
    clean = _visible(whole.replace("\r\n", "\n").replace("\r", "\n"), control="").strip()
    if _has_equals(clean):
        clean = _EDGE.sub(
            lambda line: _RUN_AT_EDGE.sub(_broken, line.group()), _RUN.sub(_broken, clean)
        )
    return cut_units(_OUR_LINE.sub("> ", clean), limit) or "(empty)"


def one_line(text: str, limit: int) -> str:
    """Make a name or a title fit on one line."""
    flat = " ".join(_visible(without_lone_surrogates(text), control=" ").split())
    if _has_equals(flat):
        flat = _RUN_AT_EDGE.sub(_broken, _RUN.sub(_broken, flat))
    return cut_units(flat, limit)


def _visible(text: str, *, control: str) -> str:
    # Most texts are plain: they need no search.
    if not text.isprintable():
        text = _CONTROL.sub(control, text)
    return text if text.isascii() else _INVISIBLE.sub("", text)


def _has_equals(text: str) -> bool:
    return "=" in text or "\uff1d" in text


def _broken(run: re.Match[str]) -> str:
    return " ".join("=" * len(re.findall("[=\uff1d]", run.group())))
