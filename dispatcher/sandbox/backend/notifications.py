"""The queue of undelivered notifications and the three marks."""

import math
from typing import Final

from dispatcher.sandbox.backend.access import own
from dispatcher.sandbox.backend.actions import SUCCESS, Action, action
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.validators import NOTIFICATION, NUMBER, Optional

_DEFAULT_LIMIT: Final = 100
_MAX_LIMIT: Final = 500


def list_undelivered(store: Store, args: Doc) -> list[Doc]:
    """A.1: the head of the queue; nothing but delivery takes a row out of it."""
    limit = args.get("limit", _DEFAULT_LIMIT)
    if math.isnan(limit):
        limit = _DEFAULT_LIMIT
    rows = int(min(max(limit, 1), _MAX_LIMIT))
    queue: Doc = {"accountId": args["accountId"], "recipientType": "agent", "deliveredAt": None}
    with store.query() as tx:
        return tx.find("notifications", by="createdAt", limit=rows, **queue)


def mark_read(store: Store, args: Doc) -> Doc:
    """A.3: an attempt began."""
    with store.mutation() as tx:
        row = _row(tx, args)
        if "readAt" not in row:
            tx.patch("notifications", row["_id"], {"readAt": tx.now, "deliveryEndedAt": None})
        elif "deliveryEndedAt" in row:
            tx.patch("notifications", row["_id"], {"deliveryEndedAt": None})
    return SUCCESS


def mark_ended(store: Store, args: Doc) -> Doc:
    """A.4: an attempt ended without delivery."""
    with store.mutation() as tx:
        row = _row(tx, args)
        if "deliveredAt" not in row and "deliveryEndedAt" not in row:
            tx.patch("notifications", row["_id"], {"deliveryEndedAt": tx.now})
    return SUCCESS


def mark_delivered(store: Store, args: Doc) -> Doc:
    """A.5: final; the row leaves the queue."""
    with store.mutation() as tx:
        row = _row(tx, args)
        if "deliveredAt" not in row:
            tx.patch("notifications", row["_id"], {"deliveredAt": tx.now})
    return SUCCESS


def _row(tx: Transaction, args: Doc) -> Doc:
    row = own(tx.get("notifications", args["notificationId"]), args["accountId"])
    if row is None:
        refuse("Not found: Notification does not exist")
    return row


ACTIONS: Final[dict[str, Action]] = {
    "listUndeliveredNotifications": action(list_undelivered, limit=Optional(NUMBER)),
    "markNotificationRead": action(mark_read, notificationId=NOTIFICATION),
    "markNotificationDeliveryEnded": action(mark_ended, notificationId=NOTIFICATION),
    "markNotificationDelivered": action(mark_delivered, notificationId=NOTIFICATION),
}
