"""The evidence with its threads tied together, for all checks to look things up."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dispatcher.lab.proof.evidence import (
    Ask,
    Evidence,
    Message,
    Row,
    Step,
    Strike,
    delivery_of,
)
from dispatcher.lab.proof.plan import Trouble
from dispatcher.lab.proof.words import Mark

ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """All asks of one delivery: one message of one notification.

    Attributes:
        message: The message that is answered; None for a notification without one.
        asks: In order of arrival, with those of tool results.
    """

    delivery: str
    row: Row
    message: Message | None
    mark: Mark
    asks: tuple[Ask, ...]

    @property
    def prompts(self) -> tuple[Ask, ...]:
        """Return the asks that brought the message itself."""
        return tuple(ask for ask in self.asks if ask.number == 0)

    @property
    def first_answered(self) -> Ask | None:
        """Return the first ask that was answered."""
        return next((ask for ask in self.prompts if ask.outcome == ANSWERED), None)


class Docket:
    """Looks things up in the evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.rows = {row.row: row for row in evidence.rows}
        self.messages = {message.message: message for message in evidence.messages}

    @cached_property
    def dead_rows(self) -> frozenset[str]:
        """Return the notifications with a dead letter."""
        return frozenset(row_of(letter.delivery) for letter in self.evidence.dead)

    @cached_property
    def replies(self) -> Counter[tuple[str, str, Mark]]:
        """Count the messages of agents by author, task and what they are about."""
        return Counter(
            (one.author, one.task, one.mark)
            for one in self.evidence.messages
            if one.is_by_agent and one.mark is not None
        )

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """Return all turns, in the order of their first asks."""
        grouped: defaultdict[str, list[Ask]] = defaultdict(list)
        facts: dict[str, tuple[Row, Message | None, Mark]] = {}
        last: dict[str, str] = {}
        for ask in self.evidence.asks:
            if ask.row is not None:
                known = self._identity(ask)
                if known is None:
                    last.pop(ask.session, None)
                    continue
                delivery = delivery_of(known[0].row, known[1].message if known[1] else None)
                facts[delivery], last[ask.session] = known, delivery
            if ask.session in last:
                grouped[last[ask.session]].append(ask)
        return tuple(
            Turn(
                delivery=delivery,
                row=facts[delivery][0],
                message=facts[delivery][1],
                mark=facts[delivery][2],
                asks=tuple(asks),
            )
            for delivery, asks in grouped.items()
        )

    @cached_property
    def turn_of_ask(self) -> dict[int, Turn]:
        """Return the turn of each ask, by the ask's number."""
        return {ask.seq: turn for turn in self.turns for ask in turn.asks}

    @cached_property
    def conversations(self) -> dict[tuple[str, str], list[Turn]]:
        """Return the turns by agent and task."""
        found: defaultdict[tuple[str, str], list[Turn]] = defaultdict(list)
        for turn in self.turns:
            found[turn.row.agent, turn.row.task].append(turn)
        return found

    def rows_of(self, task: str, agent: str) -> tuple[Row, ...]:
        """Return the notifications of an agent about a task."""
        return tuple(self._rows_of.get((task, agent), ()))

    def thread(self, task: str) -> tuple[Message, ...]:
        """Return the messages of a task."""
        return tuple(self._threads.get(task, ()))

    def is_replied(self, turn: Turn) -> bool:
        """Say whether the reply of a turn stands in its thread."""
        return (turn.row.agent, turn.row.task, turn.mark.of_reply) in self.replies

    def story(self, delivery: str) -> tuple[Step, ...]:
        """Return the story of a delivery; empty when there is none."""
        return (self.evidence.stories or {}).get(delivery, ())

    def strikes_on(self, row: str) -> Iterator[Strike]:
        """Yield the strikes on processes that held a delivery of a notification."""
        for strike in self.evidence.strikes:
            if any(row_of(delivery) == row for delivery in strike.held):
                yield strike

    def was_forgotten(self, turn: Turn) -> bool:
        """Say whether Redis was made to forget between two asks of a turn."""
        return self.is_flushed_between(turn.asks[0].received_ms, turn.asks[-1].received_ms)

    def is_flushed_between(self, first_ms: float, last_ms: float) -> bool:
        """Say whether Redis was made to forget between two instants."""
        return any(
            strike.trouble is Trouble.REDIS_FLUSHED and first_ms <= strike.at_ms <= last_ms
            for strike in self.evidence.strikes
        )

    @cached_property
    def _rows_of(self) -> dict[tuple[str, str], list[Row]]:
        found: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.evidence.rows:
            found[row.task, row.agent].append(row)
        return found

    @cached_property
    def _threads(self) -> dict[str, list[Message]]:
        found: defaultdict[str, list[Message]] = defaultdict(list)
        for message in self.evidence.messages:
            found[message.task].append(message)
        return found

    @cached_property
    def _by_mark(self) -> dict[tuple[str, Mark], list[Message]]:
        found: defaultdict[tuple[str, Mark], list[Message]] = defaultdict(list)
        for message in self.evidence.messages:
            if message.mark is not None:
                found[message.task, message.mark].append(message)
        return found

    def _identity(self, ask: Ask) -> tuple[Row, Message | None, Mark] | None:
        row = self.rows.get(ask.row or "")
        if row is None or ask.mark is None:
            return None
        if ask.mark.token == row.row:
            return row, None, ask.mark
        others = (m for m in self._by_mark.get((row.task, ask.mark), ()) if m.author != row.agent)
        message = next(others, None)
        return None if message is None else (row, message, ask.mark)


def row_of(delivery: str) -> str:
    """Return the notification of a delivery."""
    return delivery.partition(":")[0]
