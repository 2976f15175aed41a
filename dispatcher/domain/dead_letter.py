"""A delivery that is not tried again, and how it is taken back."""

from dataclasses import dataclass
from datetime import datetime

from dispatcher.domain.delivery import Entry
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import DeliveryId
from dispatcher.domain.journal import Journal, Stage, load


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What is kept for a person.

    Attributes:
        cause: Why it died; a ``Cause`` by its value.
        attempts: Attempts that were spent before the last one.
        journal_text: How far it got, with its last answer, as it was written.
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
