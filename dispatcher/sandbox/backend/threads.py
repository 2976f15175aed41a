"""Threads as the reading actions return them."""

from dispatcher.sandbox.backend.store import Doc, Transaction


def thread(tx: Transaction, account: str, task_id: str, newest: int) -> list[Doc]:
    """Return the newest messages of a task, oldest first, with the names of their authors."""
    rows = tx.find("messages", by="createdAt", newest=True, limit=newest, taskId=task_id)
    names = author_names(tx, account) if rows else {}
    return [_item(row, names) for row in reversed(rows)]


def by_update(docs: list[Doc]) -> list[Doc]:
    """Sort documents by their last change, newest first."""
    return sorted(docs, key=lambda doc: (doc["updatedAt"], doc["_creationTime"]), reverse=True)


def author_names(tx: Transaction, account: str) -> dict[str, str]:
    """Map the ids of members and agents to their names; those who left are missing."""
    names = {m["userId"]: m["userName"] for m in tx.find("memberships", accountId=account)}
    names |= {a["_id"]: a["name"] for a in tx.find("agents", accountId=account)}
    return names


def _item(message: Doc, names: dict[str, str]) -> Doc:
    kept = ("authorType", "authorId", "content", "createdAt")
    item = {name: message[name] for name in kept}
    return {"messageId": message["_id"], "authorName": names.get(message["authorId"]), **item}
