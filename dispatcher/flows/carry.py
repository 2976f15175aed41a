"""Makes room in a full list: deliveries that only wait for their agents are carried.

The backend lists at most 500 rows, the oldest first. When they all wait for agents that rest or are
paused, nothing new would ever be seen. So the oldest of them are marked, which takes them off the
list, and run from the store alone once their agents are back.
"""

import logging

from dispatcher.flows.mark import REFUSALS, mark_unclaimed
from dispatcher.ports import Backend, Bell, Books, Mailboxes

ROOM = 100
"""So many places of a full list are freed at once."""

_log = logging.getLogger(__name__)


def make_room(*, backend: Backend, mailboxes: Mailboxes, books: Books, bell: Bell) -> int:
    """Carry the oldest deliveries that wait for paused or resting agents; return how many.

    Raises:
        BackendError: The backend is away or rejects us; what was carried stays so.
        StoreError: Redis is away.
    """
    carried = 0
    for entry in books.stalled(most=ROOM):
        try:
            done = mark_unclaimed(
                entry, backend=backend, mailboxes=mailboxes, books=books, bell=bell
            )
        except REFUSALS as error:
            _log.warning(
                "a notification stays listed although it only waits: %s",
                error,
                extra={"action": "carry", "notification": entry.notification},
            )
        else:
            carried += done
    if carried:
        _log.warning(
            "the backend's list was full: %d deliveries that wait for resting or paused agents "
            "were taken off it and are kept here",
            carried,
            extra={"action": "carry"},
        )
    return carried
