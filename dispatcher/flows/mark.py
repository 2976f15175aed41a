"""The one way to mark a row delivered.

A row can change under us: the backend replaces the message of an undelivered thread update. So a
row is not marked when a newer message of it is known, and is read again after it was marked:

    t0  the turn answers message M1 of row N
    t1  M2 arrives: N now names M2, and no poll has seen it
    t2  we mark N: it will never be listed again
    t3  we read N again, find M2, and put it as a carried delivery, which runs although N is marked

Once marked a row cannot change any more, so t3 is the last word. A crash after t2 repeats the
reading: the journal of the claim says that marking was begun, or, where a row is marked without a
claim, a note in the store's books.
"""

import logging

from dispatcher.domain.delivery import Entry, entry_of
from dispatcher.domain.errors import (
    BackendGarbled,
    BackendMisused,
    BackendRedacted,
    BackendRefused,
    RowGone,
)
from dispatcher.domain.journal import Stage
from dispatcher.domain.notification import Context, Kind
from dispatcher.flows.desk import Attempt
from dispatcher.ports import Backend, Bell, Books, Mailboxes

REFUSALS = (BackendRefused, BackendRedacted, BackendMisused, BackendGarbled)
"""A mark that ends in one of these is refused; other errors mean that the backend is away."""

_log = logging.getLogger(__name__)


def mark(attempt: Attempt) -> Context | None:
    """Mark the row of the claimed delivery, unless a newer message of it is known.

    The journal's stage becomes ``MARKING``, or stays ``DYING``; its outcome must be set before.

    Returns:
        For a thread update the row as it is afterwards, None when it is gone; else None.

    Raises:
        LeaseLost: The claim is gone.
        BackendError: The row may or may not be marked; run this again.
    """
    entry, desk = attempt.claim.entry, attempt.desk
    stage = Stage.DYING if attempt.journal.stage is Stage.DYING else Stage.MARKING
    attempt.journal = attempt.journal.evolve(stage=stage)
    newest_ms = desk.mailboxes.journal(attempt.claim, attempt.journal)
    attempt.hold.check()
    with attempt.timed("mark"):
        return _mark_and_read(
            entry,
            backend=desk.backend,
            mailboxes=desk.mailboxes,
            bell=desk.bell,
            is_newest=newest_ms <= entry.created_at_ms,
        )


def mark_unclaimed(
    entry: Entry, *, backend: Backend, mailboxes: Mailboxes, books: Books, bell: Bell
) -> bool:
    """Mark a row that nobody works on; a delivery of it that waits becomes a carried one.

    Returns:
        False when nothing was marked: a newer message is known, or it is in work by now.

    Raises:
        BackendError: The row may or may not be marked; the note brings it up again.
    """
    if not books.begin_mark(entry):
        return False
    _mark_and_read(entry, backend=backend, mailboxes=mailboxes, bell=bell, is_newest=True)
    books.end_mark(entry.notification)
    return True


def finish_mark(
    entry: Entry, *, backend: Backend, mailboxes: Mailboxes, books: Books, bell: Bell
) -> None:
    """Finish a marking that was begun without a claim and cut off; see ``mark_unclaimed``."""
    if mark_unclaimed(entry, backend=backend, mailboxes=mailboxes, books=books, bell=bell):
        return
    # A newer message is known by now: if the mark was committed, that one runs in spite of it.
    _mark_and_read(entry, backend=backend, mailboxes=mailboxes, bell=bell, is_newest=False)
    books.end_mark(entry.notification)


def _mark_and_read(
    entry: Entry, *, backend: Backend, mailboxes: Mailboxes, bell: Bell, is_newest: bool
) -> Context | None:
    if is_newest:
        try:
            backend.mark_delivered(entry.notification)
        except RowGone:
            return None
        except BackendRedacted:
            if backend.fetch_context(entry.notification) is None:
                return None
            raise
    if entry.kind is not Kind.THREAD_UPDATE:
        return None
    # Also when a newer message is known: an earlier mark may have been committed before it came.
    context = backend.fetch_context(entry.notification)
    if context is None or not context.notification.is_delivered:
        return context
    if context.notification.message != entry.message:
        put = mailboxes.put([entry_of(context.notification, is_carried=True)])
        bell.ring(put.to_ring)
        _log.info(
            "a newer message came in while its row was marked; it gets a turn of its own",
            extra={"action": "put", "notification": entry.notification, "agent": entry.agent},
        )
    return context
