"""Look once at the backend, put what is new into mailboxes, ring."""

import logging
from dataclasses import dataclass

from dispatcher.domain.delivery import entry_of
from dispatcher.flows.sweep import SPOILED
from dispatcher.ports import Backend, Bell, Mailboxes, Tally

MOST_ROWS = 500
"""The backend lists no more at once."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one look found.

    Attributes:
        listed: Rows that the backend sent, most of them known already while they are in work.
        added: Deliveries that were new.
        running: Turns that run now.
        marking: Rows whose marking, begun without a claim, has no known end.
        hidden: Listed rows that are in no mailbox: malformed, or refused a mark. The next look
            must list so many more, or they would hide what is new.
        is_full: The page was as long as it may be, so there may be more: look again at once.
    """

    listed: int
    added: int
    running: int
    marking: int
    hidden: int
    is_full: bool


def poll_once(
    *,
    backend: Backend,
    mailboxes: Mailboxes,
    bell: Bell,
    tally: Tally,
    list_limit: int,
    term: int = 0,
) -> Polled:
    """List undelivered rows and put the new ones.

    The limit grows by what is known and not settled, so that rows in work never hide new ones.

    Raises:
        BackendError: The rows could not be listed.
        LeadLost: Another runtime leads by now; nothing was put.
        StoreError: They could not be put; the next poll brings them again.
    """
    stats = mailboxes.stats()
    limit = min(MOST_ROWS, list_limit + stats.open)
    page = backend.list_undelivered(limit=limit)
    for name, problem in page.malformed:
        _log.warning(
            "a listed notification cannot be read and is left alone: %s",
            problem,
            extra={"action": "poll", "notification": name},
        )
    put = mailboxes.put([entry_of(row) for row in page.rows], term=term)
    bell.ring(put.to_ring)
    tally.polled(listed=page.listed, added=put.added, malformed=len(page.malformed))
    if put.spoiled:
        _log.error(SPOILED, put.spoiled, extra={"action": "put"})
    if put.added:
        _log.info(
            "%d new deliveries among %d listed notifications",
            put.added,
            page.listed,
            extra={"action": "put"},
        )
    # A few that fit in beside a full list of known rows are no reason to hurry.
    is_full = page.listed >= limit and 2 * put.added >= list_limit
    return Polled(
        listed=page.listed,
        added=put.added,
        running=stats.claims,
        marking=stats.marking,
        hidden=max(0, page.listed - stats.open - put.added),
        is_full=is_full,
    )
