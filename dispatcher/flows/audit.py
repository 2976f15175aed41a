"""Compares what the backend lists with what the store holds, and repairs what does not fit."""

import logging
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from dispatcher.domain.delivery import Entry, entry_of
from dispatcher.domain.errors import BackendError
from dispatcher.domain.ids import NotificationId
from dispatcher.domain.notification import Page
from dispatcher.flows.mark import REFUSALS, finish_mark, mark_unclaimed
from dispatcher.flows.poll import MOST_ROWS
from dispatcher.ports import Backend, Bell, Books, Holding, Mailboxes, Tally

_NOTHING: Final = Page(rows=(), malformed=(), listed=0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What an audit found.

    Attributes:
        listed: Rows that the backend sent.
        unaccounted: Rows that nobody will deal with unless a person does.
        repaired: Repairs by kind: put, marked, righted.
    """

    listed: int
    unaccounted: int
    repaired: Counter[str]


def audit_once(  # noqa: PLR0913 - five of them are ports
    *,
    backend: Backend,
    mailboxes: Mailboxes,
    books: Books,
    bell: Bell,
    tally: Tally,
    term: int = 0,
    is_nothing_listed: bool = False,
) -> Audited:
    """Audit once: listed rows that nobody holds are put, those that are over are marked again.

    Where a poll has just found nothing, only the store is looked at: an idle account is listed no
    more often than its polls do it.

    Raises:
        BackendError: The backend is away or rejects us; the next audit begins anew.
        LeadLost: Another runtime leads by now.
        StoreError: Redis is away.
    """
    repaired: Counter[str] = Counter()
    lost = len(finish_marks(backend=backend, mailboxes=mailboxes, books=books, bell=bell))
    page = _NOTHING if is_nothing_listed else backend.list_undelivered(limit=MOST_ROWS)
    entries = [entry_of(row) for row in page.rows]
    audit = books.audit(entries, term=term)
    repaired["righted"] = audit.righted
    by_holding = _sorted_out(entries, audit.holdings)
    put = mailboxes.put(by_holding[Holding.UNKNOWN], term=term)
    bell.ring(put.to_ring)
    repaired["put"] = put.added
    over = [*by_holding[Holding.SETTLED], *by_holding[Holding.DEAD]]
    for entry in over:
        try:
            repaired["marked"] += mark_unclaimed(
                entry, backend=backend, mailboxes=mailboxes, books=books, bell=bell
            )
        except REFUSALS as error:
            lost += 1
            _tell_refusal(entry, error)
    unaccounted = len(page.malformed) + lost + audit.spoiled
    tally.audited(unaccounted=unaccounted, repaired=repaired)
    if unaccounted or repaired.total():
        _log.warning(
            "the audit of %d listed notifications: %d put, %d marked again, %d mailboxes set "
            "right, %d are nobody's",
            page.listed,
            repaired["put"],
            repaired["marked"],
            repaired["righted"],
            unaccounted,
            extra={"action": "audit"},
        )
    return Audited(listed=page.listed, unaccounted=unaccounted, repaired=repaired)


def finish_marks(
    *,
    backend: Backend,
    mailboxes: Mailboxes,
    books: Books,
    bell: Bell,
    but: Container[NotificationId] = (),
) -> frozenset[NotificationId]:
    """Finish markings that a crash cut off; return those that the backend refuses.

    Args:
        backend: The four ports.
        mailboxes: See there.
        books: See there.
        bell: See there.
        but: These are left for another time.

    Raises:
        BackendError: The backend is away or rejects us.
    """
    refused = set()
    for entry in books.begun_marks():
        if entry.notification in but:
            continue
        try:
            finish_mark(entry, backend=backend, mailboxes=mailboxes, books=books, bell=bell)
        except REFUSALS as error:
            refused.add(entry.notification)
            _tell_refusal(entry, error)
    return frozenset(refused)


def _sorted_out(
    entries: Sequence[Entry], holdings: Sequence[Holding]
) -> dict[Holding, list[Entry]]:
    found: dict[Holding, list[Entry]] = {holding: [] for holding in Holding}
    for entry, holding in zip(entries, holdings, strict=True):
        found[holding].append(entry)
    return found


def _tell_refusal(entry: Entry, error: BackendError) -> None:
    _log.warning(
        "a notification that is over cannot be marked: %s",
        error,
        extra={"action": "audit", "notification": entry.notification},
    )
