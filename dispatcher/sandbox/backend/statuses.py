"""The state machine of tasks: what may follow what, what it needs, who may do it."""

from collections import deque
from typing import Final

from dispatcher.sandbox.backend.access import is_qa, orchestrator_of
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.store import Doc, Transaction

NEXT: Final[dict[str, tuple[str, ...]]] = {
    "inbox": ("assigned", "archived"),
    "assigned": ("in_progress", "blocked", "inbox", "archived"),
    "in_progress": ("review", "blocked", "archived"),
    "review": ("done", "in_progress", "blocked", "archived"),
    "done": ("archived",),
    "blocked": ("assigned", "in_progress", "archived"),
    "archived": (),
}
FOR_AGENTS: Final = ("in_progress", "review", "done", "blocked")


def has_assignee(task: Doc) -> bool:
    """Say whether anybody, user or agent, is assigned."""
    return bool(task["assignedUserIds"] or task["assignedAgentIds"])


def unmet(task: Doc, target: str, reason: str | None) -> str | None:
    """Return what a target status asks for and the task lacks, or None."""
    match target, has_assignee(task):
        case (("assigned" | "in_progress"), False):
            return f"Cannot move to '{target}' without at least one assignee"
        case "inbox", True:
            return "Cannot move to 'inbox' while assignees remain"
        case "blocked", _ if not reason:
            return "Cannot move to 'blocked' without providing a reason"
    return None


def path_for_agent(current: str, target: str) -> list[str]:
    """Find the shortest way whose every step is open to agents.

    Returns:
        The steps after ``current``.

    Raises:
        FunctionError: There is no way.
    """
    ways = deque([[current]])
    seen = {current}
    while ways and ways[0][-1] != target:
        way = ways.popleft()
        for status in NEXT[way[-1]]:
            if status in FOR_AGENTS and status not in seen:
                seen.add(status)
                ways.append([*way, status])
    if not ways:
        refuse(invalid_transition(current, target))
    return ways[0][1:]


def invalid_transition(current: str, target: str) -> str:
    """Say that a status cannot follow another."""
    return f"Invalid transition: Cannot move from '{current}' to '{target}'"


def check_review(current: str, target: str) -> None:
    """Throw when a task is to be done without having been in review."""
    if target == "done" and current not in {"review", "done"}:
        refuse("Forbidden: Task must be in review before marking done")


def check_may_finish(tx: Transaction, agent: Doc) -> None:
    """Throw unless this agent may take a task from review to done."""
    testers = [a for a in tx.find("agents", accountId=agent["accountId"]) if is_qa(a)]
    if testers:
        if not is_qa(agent):
            refuse("Forbidden: QA must approve and mark tasks as done")
        return
    orchestrator = orchestrator_of(tx, agent["accountId"])
    if orchestrator is None:
        refuse("Forbidden: Orchestrator must be set to mark tasks as done")
    if orchestrator != agent["_id"]:
        refuse("Forbidden: Only the orchestrator can mark tasks as done")


def move(tx: Transaction, task: Doc, target: str, reason: str | None) -> Doc:
    """Take one step, with its transition and requirements checked.

    Returns:
        The task afterwards.
    """
    if target not in NEXT[task["status"]]:
        refuse(invalid_transition(task["status"], target))
    lack = unmet(task, target, reason)
    if lack:
        refuse(f"Invalid status change: {lack}")
    changes: Doc = {"status": target, "updatedAt": tx.now}
    changes["blockedReason"] = reason if target == "blocked" else None
    if target == "archived":
        changes["archivedAt"] = tx.now
    return tx.patch("tasks", task["_id"], changes)
