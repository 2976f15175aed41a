"""What people see: threads with who is typing; and what tests see: the ledger."""

from collections.abc import Callable

from dispatcher.sandbox.backend.counts import CallCounts
from dispatcher.sandbox.backend.human.acting import Acting, found_account
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.threads import author_names, thread

_WATCHED_ROWS = 200


class Views(Acting):
    """Operations that only look."""

    def __init__(self, store: Store, wakers: list[Callable[[], None]], counts: CallCounts) -> None:
        super().__init__(store, wakers)
        self._counts = counts

    def threads(self, account: str) -> list[Doc]:
        """List all tasks, newest first, with messages, assignees and who is typing.

        Shape:
            ``[{"taskId", "title", "status", "messages": [{"messageId", "authorType",
            "authorName", "content", "createdAt"}], "typing": [name], "assignees": [name]}]``
        """
        with self._store.query() as tx:
            found_account(tx, account)
            names = author_names(tx, account)
            tasks = tx.find("tasks", newest=True, accountId=account)
            return [_view(tx, task, names) for task in tasks]

    def ledger(self, account: str) -> Doc:
        """Return every message and notification as stored, and how often each action was called.

        Shape:
            ``{"messages": [row + "messageId"], "notifications": [row], "calls": {name: count}}``
        """
        with self._store.query() as tx:
            found_account(tx, account)
            messages = tx.find("messages", accountId=account)
            rows = [
                row
                for kind in ("agent", "user")
                for row in tx.find("notifications", accountId=account, recipientType=kind)
            ]
        return {
            "messages": [{**message, "messageId": message["_id"]} for message in messages],
            "notifications": sorted(rows, key=lambda row: float(row["_creationTime"])),
            "calls": self._counts.of(account),
        }

    def progress(self, account: str) -> Doc:
        """Count the notifications for agents: ``{"notifications", "waiting"}``."""
        agents: Doc = {"accountId": account, "recipientType": "agent"}
        with self._store.query() as tx:
            return {
                "notifications": tx.count("notifications", **agents),
                "waiting": tx.count("notifications", deliveredAt=None, **agents),
            }

    def rows(self, account: str, table: str) -> list[Doc]:
        """Return all documents of one table of an account, oldest first."""
        with self._store.query() as tx:
            account_row = found_account(tx, account)
            if table == "accounts":
                return [account_row]
            return [row for row in tx.find(table) if row.get("accountId") == account]


def _view(tx: Transaction, task: Doc, names: dict[str, str]) -> Doc:
    messages = thread(tx, task["accountId"], task["_id"], _WATCHED_ROWS)
    assigned = [*task["assignedUserIds"], *task["assignedAgentIds"]]
    return {
        "taskId": task["_id"],
        "title": task["title"],
        "status": task["status"],
        "messages": [{k: v for k, v in item.items() if k != "authorId"} for item in messages],
        "typing": [names[agent] for agent in _typing(tx, task) if agent in names],
        "assignees": [names[someone] for someone in assigned if someone in names],
    }


def _typing(tx: Transaction, task: Doc) -> list[str]:
    """List agents with an attempt that began and has not ended, among the newest rows."""
    rows = tx.find("notifications", newest=True, limit=_WATCHED_ROWS, taskId=task["_id"])
    running = (
        row["recipientId"]
        for row in rows
        if row["recipientType"] == "agent"
        and "readAt" in row
        and not row.keys() & {"deliveryEndedAt", "deliveredAt"}
    )
    return list(dict.fromkeys(running))
