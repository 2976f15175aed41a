"""Who is mentioned in a message: parsing and resolution."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from dispatcher.sandbox.backend.access import is_qa
from dispatcher.sandbox.backend.store import Doc
from dispatcher.sandbox.backend.values import trim

_FENCED: Final = re.compile(r"```.*?```", re.DOTALL)
_INLINE: Final = re.compile(r"`.*?`", re.DOTALL)
_QUOTED_LINE: Final = re.compile(r"^[^\S\n]*>.*$", re.MULTILINE)
_EVERYONE: Final = re.compile(r"@all(?![A-Za-z0-9_])", re.IGNORECASE | re.ASCII)
_CANDIDATE: Final = re.compile(
    r'@(?:"(?P<quoted>[^"]+)"|(?P<words>[A-Za-z0-9_]+(?:[\s\ufeff-][A-Za-z0-9_]+)*))'
)


def resolve(content: str, author: str, members: Sequence[Doc], agents: Sequence[Doc]) -> list[Doc]:
    """List whom a text mentions, each once.

    Args:
        content: The message as written.
        author: Left out of ``@all``, but may mention itself by name.
        members: All members of the account, oldest first.
        agents: All agents of the account, oldest first.
    """
    text = _QUOTED_LINE.sub("", _INLINE.sub("", _FENCED.sub("", content)))
    if _EVERYONE.search(text):
        everyone = [*map(_of_member, members), *map(_of_agent, agents)]
        return [mention for mention in everyone if mention["id"] != author]
    directory = _Directory(members, agents)
    found = (directory.look_up(candidate) for candidate in candidates(text))
    return list({mention["id"]: mention for mention in found if mention}.values())


def candidates(text: str) -> list[str]:
    """List the names that could be meant, lower-cased, in order, each once."""
    names = (trim(m["quoted"] or m["words"]).lower() for m in _CANDIDATE.finditer(text))
    return [name for name in dict.fromkeys(names) if name]


class _Directory:
    """Names of people and agents; of several people with one name the last is found."""

    def __init__(self, members: Sequence[Doc], agents: Sequence[Doc]) -> None:
        self._agents = agents
        self._people = {m["userName"].lower(): _of_member(m) for m in members}
        self._mail = {
            m["userEmail"].partition("@")[0].lower(): _of_member(m)
            for m in members
            if m.get("userEmail")
        }
        self._slugs = {a["slug"].lower(): _of_agent(a) for a in agents}
        self._names = {a["name"].lower(): _of_agent(a) for a in agents}

    def look_up(self, candidate: str) -> Doc | None:
        for names in (self._people, self._mail, self._slugs, self._names):
            if candidate in names:
                return names[candidate]
        if candidate == "qa":
            return self._qa()
        for names in (self._people, self._slugs, self._names):
            name = _longest_start(candidate, names)
            if name:
                return names[name]
        return None

    def _qa(self) -> Doc | None:
        first = next(filter(is_qa, self._agents), None)
        return None if first is None else {**_of_agent(first), "slug": "qa"}


def _longest_start(candidate: str, names: Iterable[str]) -> str | None:
    starts = (name for name in names if candidate.startswith((f"{name} ", f"{name}\n")))
    return max(starts, key=len, default=None)


def _of_member(member: Doc) -> Doc:
    return {"type": "user", "id": member["userId"], "name": member["userName"]}


def _of_agent(agent: Doc) -> Doc:
    return {"type": "agent", "id": agent["_id"], "name": agent["name"], "slug": agent["slug"]}
