"""Take back what the dead held, wake what is due, ring for who waits."""

import logging
from datetime import timedelta

from dispatcher.ports import Bell, Mailboxes, Swept, Tally

SPOILED = (
    "%d mailboxes cannot be used: a key of theirs in Redis is of a wrong type, which no dispatcher "
    "writes; delete that key, and they are set right"
)

_log = logging.getLogger(__name__)


def sweep_once(
    *,
    mailboxes: Mailboxes,
    bell: Bell,
    tally: Tally,
    term: int = 0,
    unswept: timedelta = timedelta(0),
) -> Swept:
    """Sweep the store once and ring.

    Args:
        mailboxes: The store.
        bell: Rings for those who wait.
        tally: Counts what was done.
        term: Of the leader; 0 for a standby.
        unswept: Do nothing when somebody swept within that time.

    Raises:
        LeadLost: Another runtime leads by now.
        StoreError: Redis could not be reached; the next sweep makes up for it.
    """
    swept = mailboxes.sweep(term=term, unswept=unswept)
    bell.ring(swept.to_ring)
    tally.swept(swept)
    if swept.expired:
        _log.warning(
            "%d claims were taken back: their workers died or froze; others go on with them",
            swept.expired,
            extra={"action": "sweep"},
        )
    if swept.spoiled:
        _log.error(SPOILED, swept.spoiled, extra={"action": "sweep"})
    return swept
