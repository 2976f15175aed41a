"""A delivery that is not tried again, and how it is taken back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.domain.delivery import Entry
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import AgentId, DeliveryId
from dispatcher.domain.journal import Journal, Stage, load


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What is kept for a person.

    Attributes:
        cause: Why it died; a ``Cause`` by its value.
        attempts: Attempts that were spent before the last one.
        journal_text: How far it got, with its last answer, as it was written; empty in lists.
    """

    delivery: DeliveryId
    entry: Entry
    cause: str
    attempts: int
    put_at: datetime
    died_at: datetime
    journal_text: str


def journal_to_revive(text: str) -> Journal | None:
    """Give the journal with which a dead letter goes on: its answers and tool results are kept.

    Returns:
        None when it has to start over: nothing is kept, or it is broken.

    Raises:
        JournalUnreadable: A newer program wrote it and can go on with it.
    """
    try:
        journal = load(text)
    except JournalUnreadable as error:
        if error.is_newer:
            raise
        return None
    if journal.session_key is None:
        return None
    stage = Stage.ASKED if journal.reply is None else Stage.ANSWERED
    return journal.evolve(
        stage=stage, cause=None, outcome=None, message=None, post_key=None, attempts_spent=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Dead letters of one cause and one agent: mostly one thing went wrong for all of them."""

    cause: str
    agent: AgentId
    letters: tuple[DeadLetter, ...]

    @property
    def newest(self) -> datetime:
        """Return when the last of them died."""
        return max(letter.died_at for letter in self.letters)

    @property
    def oldest(self) -> datetime:
        """Return when the first of them died."""
        return min(letter.died_at for letter in self.letters)


def grouped(letters: Iterable[DeadLetter]) -> tuple[Group, ...]:
    """Group dead letters by cause and agent, the largest group first."""
    found: dict[tuple[str, AgentId], list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault((letter.cause, letter.entry.agent), []).append(letter)
    groups = [
        Group(cause=cause, agent=agent, letters=tuple(some))
        for (cause, agent), some in found.items()
    ]
    return tuple(sorted(groups, key=lambda group: (-len(group.letters), group.cause, group.agent)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """Which dead letters are meant; what is None does not matter."""

    cause: str | None = None
    agent: AgentId | None = None
    kind: str | None = None
    task: str | None = None
    older: timedelta | None = None

    def lets_through(self, letter: DeadLetter, *, now: datetime) -> bool:
        """Say whether a dead letter is meant."""
        entry = letter.entry
        return (
            self.cause in {None, letter.cause}
            and self.agent in {None, entry.agent}
            and self.kind in {None, entry.kind.value}
            and self.task in {None, entry.task}
            and (self.older is None or now - letter.died_at > self.older)
        )


FILTERS: Final = ("cause", "agent", "kind", "task", "older")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def read_sieve(filters: Sequence[str], names: Mapping[AgentId, str]) -> Sieve:
    """Read filters such as ``cause=ask_failed``, ``agent=engineer`` and ``older=2h``.

    Args:
        filters: Each ``name=value``; all of them must hold.
        names: What people call the agents; an agent may be given by its id as well.

    Raises:
        ValueError: One of them cannot be read; the text says what can.
    """
    found: dict[str, str] = {}
    for text in filters:
        name, is_given, value = text.partition("=")
        if not is_given or name not in FILTERS or not value:
            raise ValueError(f"{text!r} is no filter: NAME=VALUE with {', '.join(FILTERS)}.")
        if name in found:
            raise ValueError(f"{name} is given twice.")
        found[name] = value
    ids = {slug: agent for agent, slug in names.items()}
    agent = found.get("agent")
    return Sieve(
        cause=found.get("cause"),
        agent=ids.get(agent, AgentId(agent)) if agent else None,
        kind=found.get("kind"),
        task=found.get("task"),
        older=_duration(found["older"]) if "older" in found else None,
    )


def _duration(text: str) -> timedelta:
    parts = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if parts is None:
        raise ValueError(f"{text!r} is no duration: a number and s, m, h or d, such as 2h.")
    return timedelta(seconds=int(parts[1]) * _UNITS[parts[2]])
