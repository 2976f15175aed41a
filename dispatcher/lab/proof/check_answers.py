"""Is everything answered and accounted for, and does nothing die without a cause?"""

from collections import Counter
from collections.abc import Iterator

from dispatcher.domain.prompt import ENTRIES
from dispatcher.lab.proof.docket import ANSWERED, Docket, row_of
from dispatcher.lab.proof.evidence import DeadLetter, Row, Said
from dispatcher.lab.proof.verdict import Breach
from dispatcher.lab.proof.words import Mark

POISON = "poison"
_DEATHS_OF_POISON = 3
_DEADLY_FAULTS = frozenset({"ask_failed", "ask_timed_out", "ask_lost"})
_NO_ANSWER = frozenset({"failed", "aborted", "dropped", "lost"})


def find_lost(docket: Docket) -> Iterator[Breach]:
    """Find what people said or assigned and no agent answered in the thread."""
    for said in docket.evidence.said:
        message = docket.messages.get(said.message)
        for agent in said.agents:
            row = _row_of_said(docket, said, agent)
            if row is not None and row.row in docket.dead_rows:
                continue
            if not _is_answered(docket, said, agent) and not _scrolled_out(docket, said, agent):
                kind = "mention" if said.is_mention else "message to subscribers"
                yield Breach(
                    promise="lost",
                    text=f"{said.word}, a {kind}, got no answer from {agent}",
                    row=row.row if row else None,
                    at_ms=message.created_ms if message else None,
                )
    yield from _lost_assignments(docket)


def find_duplicated(docket: Docket) -> Iterator[Breach]:
    """Find what was said more than once, unless Redis was made to forget in between."""
    for (author, task, mark), times in docket.replies.items():
        if times == 1:
            continue
        turns = docket.conversations.get((author, task), ())
        turn = next((one for one in turns if one.mark.of_reply == mark), None)
        if turn is None or not docket.was_forgotten(turn):
            yield Breach(
                promise="duplicated",
                text=f"{author} replied {times} times to {mark.token}",
                row=turn.row.row if turn else None,
            )


def find_unaccounted(docket: Docket) -> Iterator[Breach]:
    """Find what nobody knows of any more, and what is still open."""
    held = {row_of(delivery) for delivery in docket.evidence.open}
    for row in docket.evidence.rows:
        is_known = row.row in held or row.row in docket.dead_rows
        if row.delivered_ms is None and not is_known:
            yield Breach(
                promise="unaccounted",
                text=f"notification {row.row} is not delivered, and no mailbox holds it",
                row=row.row,
                at_ms=row.created_ms,
            )
    for delivery in sorted(docket.evidence.open):
        yield Breach(
            promise="unaccounted",
            text=f"delivery {delivery} is still open at the end",
            row=row_of(delivery),
        )


def find_dead_without_cause(docket: Docket) -> Iterator[Breach]:
    """Find dead letters that no trouble of ours explains."""
    for letter in docket.evidence.dead:
        if not _is_explained(docket, letter):
            yield Breach(
                promise="dead_without_cause",
                text=f"delivery {letter.delivery} died of {letter.cause}",
                row=row_of(letter.delivery),
            )


def count_answers(docket: Docket) -> Counter[str]:
    """Count what is told apart: dead letters that our troubles explain."""
    explained = sum(_is_explained(docket, letter) for letter in docket.evidence.dead)
    scrolled = sum(
        not _is_answered(docket, said, agent) and _scrolled_out(docket, said, agent)
        for said in docket.evidence.said
        for agent in said.agents
    )
    return Counter(dead_of_injected_faults=explained, scrolled_out=scrolled)


def _row_of_said(docket: Docket, said: Said, agent: str) -> Row | None:
    """Find the notification of a message, or the one that was turned from it to a newer one."""
    rows = docket.rows_of(said.task, agent)
    own = next((row for row in rows if row.message == said.message), None)
    if own is not None:
        return own
    written_ms = docket.messages[said.message].created_ms if said.message in docket.messages else 0
    turned = [r for r in rows if r.kind == "thread_update" and r.created_ms >= written_ms]
    return min(turned, key=lambda row: row.created_ms, default=None)


def _is_answered(docket: Docket, said: Said, agent: str) -> bool:
    if said.is_mention:
        return (agent, said.task, Mark(said.word, 1)) in docket.replies
    message = docket.messages.get(said.message)
    written_ms = message.created_ms if message else 0.0
    return any(
        ask.outcome == ANSWERED and ask.received_ms >= written_ms and said.word in ask.text
        for turn in docket.conversations.get((agent, said.task), ())
        if docket.is_replied(turn)
        for ask in turn.prompts
    )


def _scrolled_out(docket: Docket, said: Said, agent: str) -> bool:
    """Say whether so much was written after a message that no turn could show it any more.

    The newest messages of a thread are shown. Of a message that gave its row to newer ones, and has
    scrolled out before the turn of the newest one, nobody promised more.
    """
    message = docket.messages.get(said.message)
    if said.is_mention or message is None:
        return False
    written = [one.created_ms for one in docket.thread(said.task)]
    return any(
        ask.outcome == ANSWERED
        and sum(message.created_ms < at <= ask.received_ms for at in written) >= ENTRIES
        for turn in docket.conversations.get((agent, said.task), ())
        if docket.is_replied(turn)
        for ask in turn.prompts
    )


def _lost_assignments(docket: Docket) -> Iterator[Breach]:
    for assigned in docket.evidence.assigned:
        for agent in assigned.agents:
            rows = [r for r in docket.rows_of(assigned.task, agent) if r.kind == "assignment"]
            if not rows:
                yield Breach(promise="lost", text=f"{agent} was never told of {assigned.task}")
            for row in rows:
                is_answered = (agent, assigned.task, Mark(row.row, 1)) in docket.replies
                if not is_answered and row.row not in docket.dead_rows:
                    yield Breach(
                        promise="lost",
                        text=f"the assignment {row.row} got no answer",
                        row=row.row,
                        at_ms=row.created_ms,
                    )


def _is_explained(docket: Docket, letter: DeadLetter) -> bool:
    row = row_of(letter.delivery)
    if letter.cause == POISON:
        return sum(1 for _ in docket.strikes_on(row)) >= _DEATHS_OF_POISON
    if letter.cause not in _DEADLY_FAULTS:
        return False
    asks = [ask for turn in docket.turns if turn.row.row == row for ask in turn.asks]
    failures = sum(ask.outcome in _NO_ANSWER for ask in asks)
    return failures >= docket.evidence.max_attempts
