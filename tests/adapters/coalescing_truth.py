"""What must be true at the end of every history of a coalesced row."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.adapters.coalescing_troubles import What
from tests.adapters.coalescing_world import History

ASKED_AGAIN = {What.KILL, What.LOSE, What.REFUSE, What.FREEZE, What.HANG}
"""Troubles after which an agent may be asked for a message twice: its answer was not stored."""


def assert_each_message_was_answered_once(history: History) -> None:
    """Fail with the whole story when a promise was broken."""
    problems = [*_open(history), *_answers(history), *_asks(history), *_order(history)]
    if problems:
        raise AssertionError("\n".join([*problems, "", *history.story, "", *_said(history)]))


def _open(history: History) -> Iterator[str]:
    if not history.is_quiet():
        yield f"it never ends; undelivered are {history.backend.undelivered()}"
    elif left := history.leftovers():
        yield f"Redis keeps {left}"


def _answers(history: History) -> Iterator[str]:
    posted = Counter(history.backend.answers())
    for answer in history.stored:
        if posted[answer] != 1:
            yield f"{answer!r} stands {posted[answer]} times in the thread"
    for answer in posted.keys() - set(history.stored):
        yield f"{answer!r} is in the thread and was never stored"
    stored = [heard for heard in history.gateway.heard if heard.answer in history.stored]
    for number in range(1, history.backend.written + 1):
        if not any(number in heard.contained and heard.request >= number for heard in stored):
            yield f"m{number} was never answered"


def _asks(history: History) -> Iterator[str]:
    heard, written = history.gateway.heard, history.backend.written
    troubles = {one.what for one in history.troubles}
    if len(heard) > written and ASKED_AGAIN.isdisjoint(troubles):
        yield f"{len(heard)} asks for {written} messages"
    if What.FREEZE in troubles:
        # A frozen process may still send its ask when it thaws; the answer is thrown away.
        return
    answered: set[int] = set()
    for one in heard:
        if one.request in answered:
            yield f"m{one.request} was asked again although its answer was stored"
        if one.answer in history.stored:
            answered.add(one.request)


def _order(history: History) -> Iterator[str]:
    requests = [one.request for one in history.gateway.heard if one.answer in history.stored]
    for earlier, later in pairwise(requests):
        if later <= earlier:
            yield f"m{later} was answered after m{earlier}"


def _said(history: History) -> list[str]:
    lines = [f"thread: {said.content}" for said in history.backend.thread]
    return [*lines, *(f"ask: {one.answer}" for one in history.gateway.heard)]
