"""Did the tools do what the agents were told that they did, and once?"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from dispatcher.lab.proof.docket import Docket, Turn
from dispatcher.lab.proof.verdict import Breach
from dispatcher.lab.proof.words import title_of

_DONE: Final = "tools_done"
_UNKNOWN: Final = "tools_of_unknown_outcome"
_REFUSED: Final = "tools_refused"


def find_lost_effects(docket: Docket) -> Iterator[Breach]:
    """Find what an agent was told to be made, and what is nowhere."""
    for turn in docket.turns:
        for result in _results(turn):
            title = title_of(str(result.get("tool")), turn.mark.token)
            if _outcome(result) == _DONE and title and not docket.evidence.titles.get(title):
                yield Breach(
                    promise="lost",
                    text=f"the agent was told that {title!r} was made, but there is none",
                    row=turn.row.row,
                    at_ms=turn.asks[0].received_ms,
                )


def find_made_twice(docket: Docket) -> Iterator[Breach]:
    """Find what was made more than once, unless Redis was made to forget in between."""
    for title, times in docket.evidence.titles.items():
        if times > 1:
            turn = next((t for t in docket.turns if title.endswith(f" by {t.mark.token}")), None)
            if turn is not None and docket.was_forgotten(turn):
                continue
            yield Breach(
                promise="duplicated",
                text=f"{title!r} was made {times} times",
                row=turn.row.row if turn else None,
            )


def count_tools(docket: Docket) -> Counter[str]:
    """Count the tool results that agents were shown, by what they said."""
    counted = Counter({_DONE: 0, _UNKNOWN: 0, _REFUSED: 0})
    counted.update(_outcome(result) for turn in docket.turns for result in _results(turn))
    return counted


def _results(turn: Turn) -> Iterator[dict[str, Any]]:
    """Yield the results of a turn, each once however often it was sent."""
    lines = {line for ask in turn.asks if ask.number for line in ask.text.splitlines()}
    for line in sorted(lines):
        _, _, text = line.partition(": ")
        try:
            result = json.loads(text)
        except ValueError:
            continue
        if isinstance(result, dict):
            yield result


def _outcome(result: dict[str, Any]) -> str:
    if result.get("success") is True:
        return _DONE
    return _UNKNOWN if result.get("outcome") == "unknown" else _REFUSED
