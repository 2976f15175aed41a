"""Draws the load of a proof: threads, mentions, talk that coalesces, tool calls, slips."""

import json
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Final

from dispatcher.lab.proof.decks import Deck
from dispatcher.lab.proof.plan import CREW, Opening, Options, Saying, Slip
from dispatcher.lab.proof.words import own_words, title_of, word_of

_FIRST_THREADS: Final = 10
_THREAD_EVERY_S: Final = 8.0
_LIVELY_THREADS: Final = 12
_SAYINGS_A_SECOND: Final = 2.2
_SHARED: Final = 0.2
_MENTION, _BURST = 0.6, 0.2
_SLIP: Final = 0.08
_QUICK: Final = 0.6
_TOOLS: Final = 0.2
_QUIET_END_S: Final = 20.0
_STATUSES: Final = ("in_progress", "review")


def draw_openings(dice: Random, options: Options) -> tuple[Opening, ...]:
    """Draw the threads: some at the start, others now and then."""
    later = int(max(0.0, options.last_s) / _THREAD_EVERY_S)
    times = [number * 0.1 for number in range(_FIRST_THREADS)]
    times += [_THREAD_EVERY_S * (number + dice.random()) for number in range(1, later)]
    return tuple(
        Opening(at_s=at_s, thread=thread, crew=_crew(dice)) for thread, at_s in enumerate(times)
    )


def draw_sayings(
    dice: Random, options: Options, openings: tuple[Opening, ...]
) -> tuple[Saying, ...]:
    """Draw what people say, into the threads that are lively at the time."""
    writer = _Writer(dice, options)
    said: list[Saying] = []
    at_s = 2.0
    while at_s < options.seconds:
        lively = [each for each in openings if each.at_s + 0.5 < at_s][-_LIVELY_THREADS:]
        said += writer.write(at_s, dice.choice(lively))
        at_s += dice.expovariate(_SAYINGS_A_SECOND)
    return tuple(sorted(said, key=lambda saying: saying.at_s))


def _crew(dice: Random) -> tuple[int, ...]:
    size = 2 if dice.random() < _SHARED else 1
    return tuple(sorted(dice.sample(range(len(CREW)), size)))


class _Writer:
    """Writes messages, each with its own word."""

    def __init__(self, dice: Random, options: Options) -> None:
        self._dice = dice
        self._numbers = count(1)
        self._slips = Deck(dice, tuple(Slip))
        self._tools = Deck(dice, ("task_create", "document_upsert", "task_status", "two"))
        self._quiet_from_s = options.seconds - _QUIET_END_S

    def write(self, at_s: float, thread: Opening) -> Iterator[Saying]:
        """Write a mention, a message to the subscribers, or several of those in a row."""
        dice = self._dice
        kind = dice.random()
        if kind < _MENTION:
            size = dice.randint(1, len(thread.crew))
            mentions = tuple(sorted(dice.sample(thread.crew, size)))
            yield self._saying(at_s, thread, mentions, may_slip=True)
        elif kind < _MENTION + _BURST:
            for _ in range(dice.randint(2, 4)):
                yield self._saying(at_s, thread, (), may_slip=False)
                at_s += dice.uniform(0.05, 0.8)
        else:
            yield self._saying(at_s, thread, (), may_slip=True)

    def _saying(
        self, at_s: float, thread: Opening, mentions: tuple[int, ...], *, may_slip: bool
    ) -> Saying:
        word = word_of(next(self._numbers))
        markers = f"[[delay:{self._delay_s():.2f}]]"
        slip = None
        if may_slip and at_s < self._quiet_from_s and self._dice.random() < _SLIP:
            slip = self._slips.draw()
            # The word among the markers makes them unique, and with them the count of the slips.
            times = self._dice.randint(1, 2) if mentions and slip is not Slip.HANG else 1
            markers += f" [[{slip.value}]] [[times:{times}]] [[word:{word}]]"
        elif len(mentions) == 1 and self._dice.random() < _TOOLS:
            # One agent alone, so that what it makes is to be found exactly once.
            markers += self._tool_markers(word)
        return Saying(
            at_s=at_s,
            thread=thread.thread,
            word=word,
            mentions=mentions,
            markers=markers,
            slip=slip,
        )

    def _delay_s(self) -> float:
        kind = self._dice.random()
        return self._dice.uniform(0.1, 1.0) if kind < _QUICK else self._dice.uniform(1.0, 3.0)

    def _tool_markers(self, word: str) -> str:
        create = _maker("task_create", word, description="made under fire")
        document = _maker("document_upsert", word, content=f"about {word}", type="note")
        move = _tool("task_status", taskId="TASK_ID", status=self._dice.choice(_STATUSES))
        calls = {
            "task_create": create,
            "document_upsert": document,
            "task_status": move,
            "two": f"{create} {document}",
        }[self._tools.draw()]
        # Without its tools the agent says its own words as well, so a reply is always known again.
        return f" {calls} [[reply:{own_words(word)}]]"


def _maker(name: str, word: str, **arguments: str) -> str:
    return _tool(name, title=title_of(name, word) or "", **arguments)


def _tool(name: str, **arguments: str) -> str:
    return f"[[tool:{name} {json.dumps(arguments)}]]"
