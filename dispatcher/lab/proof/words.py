"""The unique words by which messages, asks and replies find each other."""

import re
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(r"\bw\d{5}\b|(?<=Notification ID: )[0-9a-z]+")
_ECHO: Final = "Done: "
_OWN_WORDS: Final = "did "


class Mark(NamedTuple):
    """What a message is about.

    Attributes:
        token: The unique word of the person's message, or the id of a row without a message.
        depth: 0 for a person's message, 1 for a reply to it, 2 for a reply to that reply.
    """

    token: str
    depth: int

    @property
    def of_reply(self) -> "Mark":
        """Return the mark that a reply has."""
        return Mark(self.token, self.depth + 1)


def word_of(number: int) -> str:
    """Return the unique word of the message with a number."""
    return f"w{number:05}"


def mark_of(text: str) -> Mark | None:
    """Read what a message is about; None when it is none of ours."""
    found = _TOKEN.search(text)
    if found is None:
        return None
    depth, rest = 0, text.lstrip()
    while rest.startswith(_ECHO):
        depth, rest = depth + 1, rest.removeprefix(_ECHO)
    return Mark(found.group(), depth + rest.startswith(_OWN_WORDS))


def title_of(tool: str, word: str) -> str | None:
    """Return the title of what a tool makes for a message; None for a tool that makes nothing."""
    return {"task_create": f"Task by {word}", "document_upsert": f"Document by {word}"}.get(tool)


def own_words(word: str) -> str:
    """Return a reply that does not quote, for the scripted gateway to say."""
    return f"{_OWN_WORDS}{word}"
