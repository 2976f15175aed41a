"""The one way to mark a row delivered.

A row can change under us: the backend replaces the message of an undelivered thread update. So a
row is not marked when a newer message of it is known, and is read again after it was marked:

    t0  the turn answers message M1 of row N
    t1  M2 arrives: N now names M2, and no poll has seen it
    t2  we mark N: it will never be listed again
    t3  we read N again, find M2, and put it as a carried delivery, which runs although N is marked

Once marked a row cannot change any more, so t3 is the last word. A crash after t2 repeats the
reading, because the journal says that marking was begun.
"""

import logging

from dispatcher.domain.delivery import entry_of
from dispatcher.domain.errors import BackendRedacted, RowGone
from dispatcher.domain.journal import Stage
from dispatcher.domain.notification import Context, Kind
from dispatcher.flows.desk import Attempt

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
    claim, desk = attempt.claim, attempt.desk
    stage = Stage.DYING if attempt.journal.stage is Stage.DYING else Stage.MARKING
    attempt.journal = attempt.journal.evolve(stage=stage)
    newest_ms = desk.mailboxes.journal(claim, attempt.journal)
    attempt.hold.check()
    if newest_ms <= claim.entry.created_at_ms:
        try:
            desk.backend.mark_delivered(claim.entry.notification)
        except RowGone:
            return None
        except BackendRedacted:
            if desk.backend.fetch_context(claim.entry.notification) is None:
                return None
            raise
    if claim.entry.kind is not Kind.THREAD_UPDATE:
        return None
    # Also when a newer message is known: an earlier mark may have been committed before it came.
    context = desk.backend.fetch_context(claim.entry.notification)
    if context is not None and context.notification.is_delivered:
        _carry_newer(attempt, context)
    return context


def _carry_newer(attempt: Attempt, context: Context) -> None:
    if context.notification.message == attempt.claim.entry.message:
        return
    put = attempt.desk.mailboxes.put([entry_of(context.notification, is_carried=True)])
    attempt.desk.bell.ring(put.to_ring)
    _log.info(
        "a newer message came in while its row was marked; it gets a turn of its own",
        extra=attempt.fields("put"),
    )
