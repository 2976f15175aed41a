"""Reading tasks and threads as a tool of the agents."""

from typing import Final

from dispatcher.sandbox.backend.access import agent_of, own, require_orchestrator, task_of
from dispatcher.sandbox.backend.actions import Action, action, taken
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.threads import by_update, thread
from dispatcher.sandbox.backend.validators import (
    AGENT,
    NUMBER,
    STRING,
    TASK,
    TASK_STATUS,
    Optional,
)
from dispatcher.sandbox.backend.values import trim

_MAX_ROWS: Final = 200
_SAMPLE_PER_STATUS: Final = 29
_STATUSES: Final = ("inbox", "assigned", "in_progress", "review", "done", "blocked", "archived")
_MAX_FOUND: Final = 100
_SCORES: Final = {"title": 3, "description": 2, "blockedReason": 1}


def load_details(store: Store, args: Doc) -> Doc:
    """Task and thread, for any agent of the account."""
    limit = taken(min(max(args.get("messageLimit", 10), 1), _MAX_ROWS))
    with store.query() as tx:
        agent_of(tx, args["accountId"], args["agentId"])
        task = task_of(tx, args["accountId"], args["taskId"])
        return {"task": task, "thread": thread(tx, args["accountId"], task["_id"], limit)}


def get_history(store: Store, args: Doc) -> Doc:
    """Task, messages oldest first, activities newest first."""
    messages = taken(min(max(args.get("messageLimit", 25), 1), _MAX_ROWS))
    activities = taken(min(max(args.get("activityLimit", 30), 0), _MAX_ROWS))
    with store.query() as tx:
        agent_of(tx, args["accountId"], args["agentId"])
        task = task_of(tx, args["accountId"], args["taskId"])
        rows = tx.find("activities", newest=True, limit=activities, targetId=task["_id"])
        return {
            "task": task,
            "messages": thread(tx, args["accountId"], task["_id"], messages),
            "activities": [_activity(row) for row in rows],
            "meta": {"messageLimitApplied": messages, "activityLimitApplied": activities},
        }


def _activity(row: Doc) -> Doc:
    return {k: v for k, v in row.items() if k not in {"_id", "_creationTime", "accountId"}}


def list_thread(store: Store, args: Doc) -> list[Doc]:
    """Thread of any task, for the orchestrator; an unknown task has an empty one."""
    with store.query() as tx:
        _check_lead(tx, args, "read threads")
        limit = taken(min(args.get("limit", 50), _MAX_ROWS))
        task = own(tx.get("tasks", args["taskId"]), args["accountId"])
        return thread(tx, args["accountId"], task["_id"], limit) if task else []


def get_task(store: Store, args: Doc) -> Doc | None:
    """One task, for the orchestrator."""
    with store.query() as tx:
        _check_lead(tx, args, "get tasks")
        return own(tx.get("tasks", args["taskId"]), args["accountId"])


def list_tasks(store: Store, args: Doc) -> list[Doc]:
    """Tasks for the orchestrator; a filter by assignee looks only at a sample, as the backend's."""
    with store.query() as tx:
        _check_lead(tx, args, "list tasks")
        limit = taken(min(args.get("limit", 50), _MAX_ROWS))
        where = {name: args[name] for name in ("accountId", "status") if name in args}
        assignee = args.get("assigneeAgentId")
        if assignee is None:
            return tx.find("tasks", newest=True, limit=limit, **where)
        if "status" in args:
            sample = tx.find("tasks", newest=True, limit=min(10 * limit, _MAX_ROWS), **where)
        else:
            sample = _sample(tx, args["accountId"])
    return [task for task in sample if assignee in task["assignedAgentIds"]][:limit]


def _sample(tx: Transaction, account: str) -> list[Doc]:
    rows: list[Doc] = []
    for status in _STATUSES:
        where: Doc = {"accountId": account, "status": status}
        rows += tx.find("tasks", newest=True, limit=_SAMPLE_PER_STATUS, **where)
    return by_update(rows)


def search_tasks(store: Store, args: Doc) -> list[Doc]:
    """Tasks that contain the query, best first."""
    with store.query() as tx:
        _check_lead(tx, args, "search tasks")
        limit = int(min(args.get("limit", 20), _MAX_FOUND))
        query = trim(args["query"]).lower()
        tasks = tx.find("tasks", accountId=args["accountId"]) if query else []
    found = [(_score(task, query), task) for task in tasks]
    found = sorted((hit for hit in found if hit[0]), key=lambda hit: hit[0], reverse=True)
    return [_hit(task, score) for score, task in found[:limit]]


def _score(task: Doc, query: str) -> int:
    return sum(points for name, points in _SCORES.items() if query in task.get(name, "").lower())


def _hit(task: Doc, score: int) -> Doc:
    kept = (
        "_id",
        "title",
        "status",
        "priority",
        "blockedReason",
        "assignedAgentIds",
        "assignedUserIds",
        "createdAt",
        "updatedAt",
    )
    return {**{name: task[name] for name in kept if name in task}, "relevanceScore": score}


def _check_lead(tx: Transaction, args: Doc, what: str) -> None:
    agent_of(tx, args["accountId"], args["agentId"])
    require_orchestrator(tx, args["accountId"], args["agentId"], what)


ACTIONS: Final[dict[str, Action]] = {
    "loadTaskDetailsForAgentTool": action(
        load_details, agentId=AGENT, taskId=TASK, messageLimit=Optional(NUMBER)
    ),
    "getTaskHistoryForAgentTool": action(
        get_history,
        agentId=AGENT,
        taskId=TASK,
        messageLimit=Optional(NUMBER),
        activityLimit=Optional(NUMBER),
    ),
    "listTaskThreadForAgentTool": action(
        list_thread, agentId=AGENT, taskId=TASK, limit=Optional(NUMBER)
    ),
    "getTaskForAgentTool": action(get_task, agentId=AGENT, taskId=TASK),
    "listTasksForAgentTool": action(
        list_tasks,
        agentId=AGENT,
        status=Optional(TASK_STATUS),
        assigneeAgentId=Optional(AGENT),
        limit=Optional(NUMBER),
    ),
    "searchTasksForAgentTool": action(
        search_tasks, agentId=AGENT, query=STRING, limit=Optional(NUMBER)
    ),
}
