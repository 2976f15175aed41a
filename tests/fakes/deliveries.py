"""Offices with one delivery of a kind, and what may have happened to it before."""

from dataclasses import replace
from typing import Any

from dispatcher.domain.delivery import Dead, Outcome, Settled
from dispatcher.domain.ids import MessageId, SessionKey
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Context, Kind
from dispatcher.domain.reply import Reply
from tests.fakes.desk import Office
from tests.samples import LEAD, context, message, notification

ANSWERED = Settled(outcome="answered")
NEWER = MessageId("jx72kgdjh7kn48cnpdhe8ktmw1a70ebe")
STORED = Reply(text="  The stored answer.\n")


def office_for(kind: Kind = Kind.MENTION, *, is_carried: bool = False, **changes: Any) -> Office:
    """Set up an office for a notification of a kind; other facts of its context may differ.

    A test that speaks of one attempt looks at its outcome; one that speaks of several lets the
    office attempt until the delivery does not rest any more.
    """
    facts: dict[str, Any] = {"notification": notification(kind=kind)} | changes
    return Office(context(**facts), is_carried=is_carried)


def update_by_agent(**changes: Any) -> Office:
    """Set up an office for a thread update that another agent wrote."""
    said = message(author_type="agent", author_id=LEAD)
    return office_for(Kind.THREAD_UPDATE, message=said, thread=(said,), **changes)


def newer_row(found: Context, *, message_id: MessageId = NEWER) -> dict[str, Any]:
    """Give the changes by which a newer message replaces the one that a row names."""
    row = found.notification
    said = message(message_id=message_id, content="And the tests, please.")
    return {
        "notification": replace(row, message=message_id, created_at_ms=row.created_at_ms + 5_000),
        "message": said,
        "thread": (*found.thread, said),
    }


def let_newer_message_come(office: Office) -> None:
    office.backend.change(office.row, **newer_row(office.backend.rows[office.row]))


def cause_of_death(outcome: Outcome | None) -> str:
    """Say of what a delivery died; it must have died."""
    assert isinstance(outcome, Dead), outcome
    return outcome.cause


def answered(stage: Stage = Stage.ANSWERED, **changes: Any) -> Journal:
    """Give the journal of a delivery whose answer is stored."""
    return Journal(
        stage=stage,
        session_key=SessionKey("task:t:agent:engineer:acc:v1"),
        asks=1,
        is_required=True,
        reply=STORED,
    ).evolve(**changes)
