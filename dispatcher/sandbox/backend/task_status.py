"""Status requests by agents: several steps, each a transaction, the last one told."""

from dataclasses import dataclass
from typing import Final

from dispatcher.sandbox.backend.access import agent_of, may, settings_of, task_of
from dispatcher.sandbox.backend.actions import Action, action
from dispatcher.sandbox.backend.audit import Actor, Target, log
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.fanout import tell_status
from dispatcher.sandbox.backend.statuses import (
    FOR_AGENTS,
    check_may_finish,
    check_review,
    move,
    path_for_agent,
)
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.validators import AGENT, STRING, TASK, TASK_STATUS, Optional

_ROUNDS: Final = 10


@dataclass(frozen=True, slots=True)
class Wish:
    """What an agent wants a task's status to be.

    Attributes:
        account: Whose task.
        agent: Who asks.
        task_id: Which task.
        status: Where to.
        expected: Where it must be at first, if that matters.
        reason: Why it is blocked, if it is to be.
    """

    account: str
    agent: Doc
    task_id: str
    status: str
    expected: str | None = None
    reason: str | None = None


def update_status(store: Store, args: Doc) -> Doc:
    """D.1: move a task as an agent."""
    check_allowed(args["status"])
    with store.query() as tx:
        agent = agent_of(tx, args["accountId"], args["agentId"])
        if not may(tx, agent, "canModifyTaskStatus"):
            refuse("Forbidden: Agent is not allowed to modify task status")
    wish = Wish(
        account=args["accountId"],
        agent=agent,
        task_id=args["taskId"],
        status=args["status"],
        expected=args.get("expectedStatus"),
        reason=args.get("blockedReason"),
    )
    task, changed = fulfil(store, wish)
    return {
        "success": True,
        "taskId": wish.task_id,
        "requestedStatus": wish.status,
        "status": task["status"],
        "updatedAt": task["updatedAt"],
        "changed": changed,
    }


def check_allowed(status: str) -> None:
    """Throw unless agents may ask for this status."""
    if status not in FOR_AGENTS:
        refuse("Invalid status: must be in_progress, review, done, or blocked")


def fulfil(store: Store, wish: Wish) -> tuple[Doc, bool]:
    """Go step by step; what was reached stays when a later step fails.

    Returns:
        The task as it is now, and whether anything changed.
    """
    with store.query() as tx:
        task = task_of(tx, wish.account, wish.task_id)
    if wish.expected is not None and task["status"] != wish.expected:
        return task, False
    check_review(task["status"], wish.status)
    changed = False
    for _ in range(_ROUNDS):
        if task["status"] == wish.status:
            break
        with store.mutation() as tx:
            task = _step(tx, wish)
        changed = True
    return task, changed


def _step(tx: Transaction, wish: Wish) -> Doc:
    """Take the first step of the shortest way; the final one is told and logged."""
    task = task_of(tx, wish.account, wish.task_id)
    if task["status"] == wish.status:
        return task
    target = path_for_agent(task["status"], wish.status)[0]
    if target == "done":
        check_may_finish(tx, wish.agent)
    moved = move(tx, task, target, wish.reason)
    if target == wish.status:
        actor = Actor.agent(wish.agent)
        tell_status(tx, moved, actor, settings_of(tx, wish.account))
        log_status(tx, actor, task, moved)
    return moved


def log_status(tx: Transaction, actor: Actor, before: Doc, after: Doc, **more: str) -> None:
    """Log a change of status."""
    meta = {
        "oldStatus": before["status"],
        "newStatus": after["status"],
        "blockedReason": after.get("blockedReason"),
        **more,
    }
    log(tx, after["accountId"], actor, "task_status_changed", Target.task(after), meta)


ACTIONS: Final[dict[str, Action]] = {
    "updateTaskStatusFromAgent": action(
        update_status,
        taskId=TASK,
        agentId=AGENT,
        status=TASK_STATUS,
        expectedStatus=Optional(TASK_STATUS),
        blockedReason=Optional(STRING),
    ),
}
