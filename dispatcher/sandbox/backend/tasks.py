"""Tasks as agents create, assign, archive and link them."""

from typing import Final

from dispatcher.sandbox.backend.access import (
    agent_of,
    may,
    require_orchestrator,
    settings_of,
    task_of,
)
from dispatcher.sandbox.backend.actions import SUCCESS, Action, action, at_most
from dispatcher.sandbox.backend.assignees import check_agents, newcomers, unique
from dispatcher.sandbox.backend.audit import Actor, Target, log
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.fanout import subscribe, tell_assigned
from dispatcher.sandbox.backend.sessions import close_task_sessions
from dispatcher.sandbox.backend.statuses import has_assignee, unmet
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.task_status import log_status
from dispatcher.sandbox.backend.task_update import (
    DESCRIPTION_TOO_LONG,
    MAX_DESCRIPTION,
    MAX_REASON,
    MAX_TITLE,
    REASON_TOO_LONG,
    TITLE_TOO_LONG,
)
from dispatcher.sandbox.backend.validators import (
    AGENT,
    NUMBER,
    STRING,
    TASK,
    TASK_STATUS,
    ListOf,
    Optional,
)


def create_task(store: Store, args: Doc) -> Doc:
    """D.3: create a task; every assignee is told, the creator included."""
    at_most(args.get("blockedReason"), MAX_REASON, REASON_TOO_LONG)
    with store.query() as tx:
        agent = agent_of(tx, args["accountId"], args["agentId"])
        if not may(tx, agent, "canCreateTasks"):
            refuse("Forbidden: Agent is not allowed to create tasks")
    at_most(args["title"], MAX_TITLE, TITLE_TOO_LONG)
    at_most(args.get("description"), MAX_DESCRIPTION, DESCRIPTION_TOO_LONG)
    with store.mutation() as tx:
        assigned = unique(args.get("assignedAgentIds", []))
        check_agents(tx, args["accountId"], assigned)
        draft = _draft(args, assigned)
        lack = unmet(draft, draft["status"], draft["blockedReason"])
        if lack:
            refuse(f"Invalid status at creation: {lack}")
        return {"taskId": insert_task(tx, Actor.agent(agent), draft)["_id"]}


def insert_task(tx: Transaction, actor: Actor, draft: Doc) -> Doc:
    """Store a new task, subscribe and tell whom it concerns."""
    stamps = {"createdBy": actor.id, "createdAt": tx.now, "updatedAt": tx.now}
    task = tx.insert("tasks", {**draft, **stamps})
    log(tx, task["accountId"], actor, "task_created", Target.task(task))
    settings = settings_of(tx, task["accountId"])
    if settings.get("orchestratorAgentId"):
        subscribe(tx, task, "agent", settings["orchestratorAgentId"])
    _welcome(tx, task, actor, newcomers({"assignedUserIds": [], "assignedAgentIds": []}, task))
    return task


def _draft(args: Doc, assigned: list[str]) -> Doc:
    status = args.get("status", "inbox")
    if status == "inbox" and assigned:
        status = "assigned"
    elif status in {"assigned", "in_progress"} and not assigned:
        assigned = [args["agentId"]]
    return {
        "accountId": args["accountId"],
        "title": args["title"],
        "description": args.get("description"),
        "status": status,
        "priority": args.get("priority", 3),
        "assignedUserIds": [],
        "assignedAgentIds": assigned,
        "labels": args.get("labels", []),
        "dueDate": args.get("dueDate"),
        "blockedReason": args.get("blockedReason") if status == "blocked" else None,
    }


def _welcome(tx: Transaction, task: Doc, actor: Actor, new: list[tuple[str, str]]) -> None:
    for kind, subscriber in new:
        subscribe(tx, task, kind, subscriber)
    tell_assigned(tx, task, actor, new, settings_of(tx, task["accountId"]))


def assign_task(store: Store, args: Doc) -> Doc:
    """D.4: add assignees; a task in the inbox begins at once."""
    _check_lead(store, args, "assign agents")
    with store.mutation() as tx:
        agent = agent_of(tx, args["accountId"], args["agentId"])
        before = task_of(tx, args["accountId"], args["taskId"])
        agents = unique([*before["assignedAgentIds"], *args["assignedAgentIds"]])
        check_agents(tx, args["accountId"], agents)
        changes: Doc = {"assignedAgentIds": agents, "updatedAt": tx.now}
        if before["status"] == "inbox" and has_assignee({**before, **changes}):
            changes["status"] = "in_progress" if agents else "assigned"
        after = tx.patch("tasks", before["_id"], changes)
        actor, new = Actor.agent(agent), newcomers(before, after)
        subscribe(tx, after, "agent", args["agentId"])
        _welcome(tx, after, actor, new)
        meta = {"assignedAgentIds": [agent_id for _, agent_id in new]}
        log(tx, args["accountId"], actor, "task_updated", Target.task(after), meta)
        if after["status"] != before["status"]:
            log_status(tx, actor, before, after, reason="auto_assignment")
    return {"taskId": before["_id"]}


def delete_task(store: Store, args: Doc) -> Doc:
    """D.5: archive from any status, silently."""
    _check_lead(store, args, "archive/delete tasks")
    complaint = f"reason must be at most {MAX_REASON} characters"
    at_most(args["reason"], MAX_REASON, complaint)
    with store.mutation() as tx:
        agent = agent_of(tx, args["accountId"], args["agentId"])
        before = task_of(tx, args["accountId"], args["taskId"])
        changes = {"status": "archived", "archivedAt": tx.now, "updatedAt": tx.now}
        after = tx.patch("tasks", before["_id"], changes)
        more = {"reason": args["reason"], "action": "task_deleted"}
        log_status(tx, Actor.agent(agent), before, after, **more)
    close_task_sessions(store, before["_id"])
    return SUCCESS


def link_task(store: Store, args: Doc) -> Doc:
    """D.6: remember the number of a pull request."""
    _check_lead(store, args, "link tasks to PRs")
    with store.mutation() as tx:
        task = task_of(tx, args["accountId"], args["taskId"])
        metadata = {**task.get("metadata", {}), "prNumber": args["prNumber"]}
        tx.patch("tasks", task["_id"], {"metadata": metadata, "updatedAt": tx.now})
    return SUCCESS


def _check_lead(store: Store, args: Doc, what: str) -> None:
    with store.query() as tx:
        agent_of(tx, args["accountId"], args["agentId"])
        require_orchestrator(tx, args["accountId"], args["agentId"], what)
        task_of(tx, args["accountId"], args["taskId"])


ACTIONS: Final[dict[str, Action]] = {
    "createTaskFromAgent": action(
        create_task,
        agentId=AGENT,
        title=STRING,
        description=Optional(STRING),
        priority=Optional(NUMBER),
        labels=Optional(ListOf(STRING)),
        dueDate=Optional(NUMBER),
        status=Optional(TASK_STATUS),
        blockedReason=Optional(STRING),
        assignedAgentIds=Optional(ListOf(AGENT)),
    ),
    "assignTaskFromAgent": action(
        assign_task, taskId=TASK, agentId=AGENT, assignedAgentIds=ListOf(AGENT)
    ),
    "deleteTaskFromAgent": action(delete_task, taskId=TASK, agentId=AGENT, reason=STRING),
    "linkTaskToPrForAgentTool": action(link_task, taskId=TASK, agentId=AGENT, prNumber=NUMBER),
}
