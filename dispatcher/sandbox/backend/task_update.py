"""Changing the fields of a task as an agent, with or without its status."""

from typing import Final

from dispatcher.sandbox.backend.access import agent_of, may, orchestrator_of, task_of
from dispatcher.sandbox.backend.actions import Action, action, at_most
from dispatcher.sandbox.backend.assignees import check_agents, check_users, synchronise
from dispatcher.sandbox.backend.audit import Actor, Target, log
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.fanout import subscribe
from dispatcher.sandbox.backend.statuses import has_assignee
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.task_status import Wish, check_allowed, fulfil
from dispatcher.sandbox.backend.validators import (
    AGENT,
    NUMBER,
    STRING,
    TASK,
    TASK_STATUS,
    ListOf,
    Optional,
)
from dispatcher.sandbox.backend.values import trim

MAX_TITLE: Final = 2000
MAX_DESCRIPTION: Final = 100_000
MAX_REASON: Final = 2000
TITLE_TOO_LONG: Final = f"Title too long (max {MAX_TITLE} characters)"
DESCRIPTION_TOO_LONG: Final = f"Description too long (max {MAX_DESCRIPTION} characters)"
REASON_TOO_LONG: Final = f"blockedReason must be at most {MAX_REASON} characters"
_ASSIGNEES: Final = ("assignedAgentIds", "assignedUserIds")
_FIELDS: Final = ("title", "description", "priority", "labels", *_ASSIGNEES, "dueDate")


def update_task(store: Store, args: Doc) -> Doc:
    """D.2: patch fields and move the status; each step is a transaction of its own."""
    agent, task = _check(store, args)
    sent: list[str] = [name for name in _FIELDS if name in args]
    status = args.get("status")
    if not sent and status is None:
        return {"taskId": task["_id"], "changedFields": []}
    _check_values(args)
    wish = None
    if status is not None:
        reason = args.get("blockedReason")
        wish = Wish(args["accountId"], agent, task["_id"], status, reason=reason)
    assigns_first = (
        status == "in_progress"
        and task["status"] != "in_progress"
        and any(name in args for name in _ASSIGNEES)
    )
    moved = False
    if wish and not assigns_first:
        moved = fulfil(store, wish)[1]
    if sent:
        with store.mutation() as tx:
            _patch(tx, args, agent, sent)
    if wish and assigns_first:
        moved = fulfil(store, wish)[1]
    return {"taskId": task["_id"], "changedFields": [*sent, *(["status"] if moved else [])]}


def _check(store: Store, args: Doc) -> tuple[Doc, Doc]:
    at_most(args.get("blockedReason"), MAX_REASON, REASON_TOO_LONG)
    with store.query() as tx:
        agent = agent_of(tx, args["accountId"], args["agentId"])
        if not may(tx, agent, "canModifyTaskStatus"):
            refuse("Forbidden: Agent is not allowed to modify tasks")
        at_most(args.get("title"), MAX_TITLE, TITLE_TOO_LONG)
        at_most(args.get("description"), MAX_DESCRIPTION, DESCRIPTION_TOO_LONG)
        return agent, task_of(tx, args["accountId"], args["taskId"])


def _check_values(args: Doc) -> None:
    if not 1 <= args.get("priority", 1) <= 5:
        refuse("Invalid priority: must be between 1 (highest) and 5 (lowest)")
    if "status" in args:
        check_allowed(args["status"])
        if args["status"] == "blocked" and not trim(args.get("blockedReason", "")):
            refuse("blockedReason is required when status is 'blocked'")


def _patch(tx: Transaction, args: Doc, agent: Doc, sent: list[str]) -> None:
    account = args["accountId"]
    before = task_of(tx, account, args["taskId"])
    changes = {name: args[name] for name in sent}
    for name in ("title", "description"):
        if name in changes:
            changes[name] = trim(changes[name])
    if "assignedUserIds" in changes:
        users = map(trim, changes["assignedUserIds"])
        changes["assignedUserIds"] = [user for user in users if user]
        check_users(tx, account, changes["assignedUserIds"])
    check_agents(tx, account, changes.get("assignedAgentIds", ()))
    after = tx.patch("tasks", before["_id"], {**changes, "updatedAt": tx.now})
    if after["status"] in {"assigned", "in_progress"} and not has_assignee(after):
        refuse(f"Invalid assignees: status '{after['status']}' requires at least one assignee")
    orchestrator = orchestrator_of(tx, account)
    synchronise(tx, before, after, orchestrator)
    if orchestrator:
        subscribe(tx, after, "agent", orchestrator)
    actor, target = Actor.agent(agent), Target.task(after)
    log(tx, account, actor, "task_updated", target, {"changedFields": sent})


ACTIONS: Final[dict[str, Action]] = {
    "updateTaskFromAgent": action(
        update_task,
        taskId=TASK,
        agentId=AGENT,
        title=Optional(STRING),
        description=Optional(STRING),
        priority=Optional(NUMBER),
        labels=Optional(ListOf(STRING)),
        assignedAgentIds=Optional(ListOf(AGENT)),
        assignedUserIds=Optional(ListOf(STRING)),
        status=Optional(TASK_STATUS),
        blockedReason=Optional(STRING),
        dueDate=Optional(NUMBER),
    ),
}
