"""Tells the story of one delivery, from all sides, in order of time."""

from collections.abc import Iterator

from dispatcher.lab.proof.docket import Docket, row_of
from dispatcher.lab.proof.evidence import Evidence
from dispatcher.lab.proof.verdict import Breach

_LONGEST = 80


def narrate(evidence: Evidence, breach: Breach) -> list[str]:
    """Return lines about everything that is known of the notification of a breach."""
    docket = Docket(evidence)
    if breach.row is None:
        return []
    events = sorted(_events(docket, breach.row))
    lines = [
        f"{(at_ms - evidence.began_ms) / 1000:9.3f} s  {side:8}  {text}"
        for at_ms, side, text in events[-_LONGEST:]
    ]
    left_out = len(events) - len(lines)
    return ([f"({left_out} older entries left out)"] if left_out else []) + lines


def _events(docket: Docket, row: str) -> Iterator[tuple[float, str, str]]:
    yield from _outside(docket, row)
    yield from _at_gateway(docket, row)
    for delivery, story in (docket.evidence.stories or {}).items():
        if row_of(delivery) == row:
            for step in story:
                yield step.at_ms, "store", f"{step.word} {step.detail} ({delivery[-6:]})"
    for strike in docket.strikes_on(row):
        yield strike.at_ms, "trouble", f"{strike.process}: {strike.trouble}"
        if strike.until_ms is not None:
            yield strike.until_ms, "trouble", f"{strike.process} goes on"


def _outside(docket: Docket, row: str) -> Iterator[tuple[float, str, str]]:
    fact = docket.rows.get(row)
    if fact is None:
        return
    about = f"{fact.kind} {row} for {fact.agent}, task {fact.task}"
    yield fact.created_ms, "backend", f"{about}, message {fact.message}"
    if fact.delivered_ms is not None:
        yield fact.delivered_ms, "backend", "marked delivered"
    for message in docket.thread(fact.task):
        who = "agent" if message.is_by_agent else "person"
        about = message.mark.token if message.mark else "something else"
        key = f", key {message.source}" if message.source else ""
        text = f"{who} {message.author} about {about} ({message.message}{key})"
        yield message.created_ms, "thread", text


def _at_gateway(docket: Docket, row: str) -> Iterator[tuple[float, str, str]]:
    for turn in docket.turns:
        if turn.row.row != row:
            continue
        for ask in turn.asks:
            what = f"ask {ask.seq} about {turn.mark.token}, round {ask.number}"
            yield ask.received_ms, "gateway", what
            if ask.ended_ms is not None:
                fault = f", told to play {ask.fault}" if ask.fault else ""
                yield ask.ended_ms, "gateway", f"ask {ask.seq} {ask.outcome}{fault}"
