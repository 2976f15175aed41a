"""A small hand-made world in which every promise is kept, for tests that break one of them."""

from dataclasses import replace

from dispatcher.lab.proof.evidence import (
    Ask,
    Assigned,
    Evidence,
    Message,
    Row,
    Said,
    Step,
    Strike,
)
from dispatcher.lab.proof.plan import Trouble
from dispatcher.lab.proof.words import Mark

AGENT, TASK, PERSON = "agent1", "task1", "person1"


def said(number: int, *, is_mention: bool = True) -> Said:
    """A message of a person, with the word of its number."""
    return Said(
        word=word(number), message=f"m{number}", task=TASK, agents=(AGENT,), is_mention=is_mention
    )


def word(number: int) -> str:
    """The word of a message."""
    return f"w{number:05}"


def row(number: int, *, at_ms: float, kind: str = "mention", **changes: object) -> Row:
    """The notification of a message, delivered two seconds later."""
    made = Row(
        row=f"n{number}",
        agent=AGENT,
        task=TASK,
        kind=kind,
        message=f"m{number}",
        created_ms=at_ms,
        delivered_ms=at_ms + 2000,
    )
    return replace(made, **changes)


def message(number: int, *, at_ms: float) -> Message:
    """What a person wrote."""
    return Message(
        message=f"m{number}",
        task=TASK,
        author=PERSON,
        is_by_agent=False,
        mark=Mark(word(number), 0),
        created_ms=at_ms,
        source=None,
    )


def reply(number: int, *, at_ms: float, name: str = "") -> Message:
    """What the agent answered."""
    return Message(
        message=name or f"r{number}",
        task=TASK,
        author=AGENT,
        is_by_agent=True,
        mark=Mark(word(number), 1),
        created_ms=at_ms,
        source=f"n{number}",
    )


def ask(
    seq: int, number: int, *, at_ms: float, outcome: str = "answered", **changes: object
) -> Ask:
    """An ask about a message that took a second."""
    made = Ask(
        seq=seq,
        agent=AGENT,
        session="s1",
        row=f"n{number}",
        mark=Mark(word(number), 0),
        number=0,
        received_ms=at_ms,
        ended_ms=at_ms + 1000,
        outcome=outcome,
        fault=None,
        text=f"thread … {word(number)} …",
    )
    return replace(made, **changes)


def tool_results(seq: int, *, at_ms: float) -> Ask:
    """An ask that brings tool results: it names neither notification nor message."""
    made = ask(seq, 0, at_ms=at_ms, row=None, mark=None, text="results")
    return replace(made, number=1)


def story(*steps: tuple[float, str, str]) -> tuple[Step, ...]:
    """The story of a delivery."""
    return tuple(Step(at_ms=at_ms, word=text, detail=detail) for at_ms, text, detail in steps)


def strike(trouble: Trouble, *, at_ms: float, until_ms: float, number: int) -> Strike:
    """A trouble of a process that held the delivery of a message."""
    return Strike(
        trouble=trouble,
        process="worker1",
        at_ms=at_ms,
        until_ms=until_ms,
        held=frozenset({f"n{number}:m{number}"}),
    )


def good() -> Evidence:
    """Two mentions of one conversation, each answered once, in order, and all is over."""
    stories = {
        f"n{number}:m{number}": story(
            (start, "put", ""),
            (start + 100, "claimed", ""),
            (start + 200, "asked", ""),
            (start + 1300, "answered", ""),
            (start + 1400, "posting", ""),
            (start + 2000, "settled", "answered"),
        )
        for number, start in ((1, 1000.0), (2, 5000.0))
    }
    return Evidence(
        began_ms=0.0,
        said=(said(1), said(2)),
        rows=(row(1, at_ms=1000), row(2, at_ms=5000)),
        messages=(
            message(1, at_ms=1000),
            reply(1, at_ms=2500),
            message(2, at_ms=5000),
            reply(2, at_ms=6500),
        ),
        asks=(ask(1, 1, at_ms=1250), ask(2, 2, at_ms=5250)),
        titles={"Task by w00001": 1},
        stories=stories,
    )


def assignment() -> tuple[Assigned, Row]:
    """An assignment with its notification, which has no message."""
    made = row(9, at_ms=500, kind="assignment", row="k9", message=None)
    return Assigned(task=TASK, agents=(AGENT,)), made
