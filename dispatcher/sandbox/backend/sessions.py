"""Session keys: opened on demand, closed by archiving, one generation after the other."""

from dispatcher.sandbox.backend.store import Doc, Store, Transaction


def session_key(tx: Transaction, agent: Doc, task_id: str | None) -> str:
    """Return the key of the active session of an agent, opening one where there is none.

    Args:
        tx: The mutation.
        agent: Whose conversation.
        task_id: About which task, which need not exist; None for the system session.
    """
    kind = "system" if task_id is None else "task"
    scope = {"agentId": agent["_id"], "sessionType": kind, "taskId": task_id}
    rows = tx.find("sessions", **scope)
    active = next((row for row in rows if "closedAt" not in row), None)
    if active is None:
        generation = 1 + max((int(row["generation"]) for row in rows), default=0)
        key = _key(agent, task_id, generation)
        facts = {"agentSlug": agent["slug"], "generation": generation, "sessionKey": key}
        active = tx.insert(
            "sessions",
            {"accountId": agent["accountId"], **scope, **facts, "openedAt": tx.now},
        )
    return str(active["sessionKey"])


def close_task_sessions(store: Store, task_id: str) -> None:
    """Close all active sessions of an archived task, in a step of its own after the archiving."""
    with store.mutation() as tx:
        for row in tx.find("sessions", taskId=task_id):
            if "closedAt" not in row:
                closing = {"closedAt": tx.now, "closedReason": "task_archived"}
                tx.patch("sessions", row["_id"], closing)


def _key(agent: Doc, task_id: str | None, generation: int) -> str:
    start = "system" if task_id is None else f"task:{task_id}"
    return f"{start}:agent:{agent['slug']}:{agent['accountId']}:v{generation}"
