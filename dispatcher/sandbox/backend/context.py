"""The delivery context: all that a notification is about, in one answer."""

import unicodedata
from typing import Final

from dispatcher.sandbox.backend.access import CHAT_LABEL, effective_flags, own, settings_of
from dispatcher.sandbox.backend.actions import Action, action
from dispatcher.sandbox.backend.sessions import session_key
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.threads import thread
from dispatcher.sandbox.backend.validators import NOTIFICATION
from dispatcher.sandbox.backend.values import shortened

_THREAD_MESSAGES: Final = 50
_THREAD_UNITS: Final = 2000
_DOCUMENT_UNITS: Final = 50_000
_OVERVIEW_STATUSES: Final = ("inbox", "assigned", "in_progress", "review", "blocked")
_SAMPLED: Final = 100
_SHOWN: Final = 3


def get_notification(store: Store, args: Doc) -> Doc | None:
    """A.2: read the context, then make sure that a session exists; two transactions."""
    with store.query() as tx:
        row = own(tx.get("notifications", args["notificationId"]), args["accountId"])
        if row is None:
            return None
        context = _context(tx, row)
    if context["agent"] is not None:
        with store.mutation() as tx:
            key = session_key(tx, context["agent"], row.get("taskId"))
        context["deliverySessionKey"] = key
    return context


def _context(tx: Transaction, row: Doc) -> Doc:
    account = row["accountId"]
    settings = settings_of(tx, account)
    task = own(tx.get("tasks", row.get("taskId")), account)
    message = _message(tx, row)
    agents = tx.find("agents", accountId=account)
    agent = next((a for a in agents if a["_id"] == row["recipientId"]), None)
    items = thread(tx, account, task["_id"], _THREAD_MESSAGES) if task else []
    for item in items:
        item["content"] = shortened(item["content"], _THREAD_UNITS)
    mentionable = [_mentionable(a) for a in sorted(agents, key=_sort_key)]
    assigned = task["assignedAgentIds"] if task else []
    task_id = row.get("taskId")
    in_chat = task_id is not None and task_id == settings.get("orchestratorChatTaskId")
    return {
        "notification": row,
        "agent": agent,
        "task": task,
        "message": message,
        "thread": items,
        "sourceNotificationType": _source_type(tx, message),
        "orchestratorAgentId": settings.get("orchestratorAgentId"),
        "primaryUserMention": _primary_user(tx, task, items),
        "mentionableAgents": mentionable,
        "assignedAgents": [a for a in mentionable if a["id"] in assigned],
        "effectiveBehaviorFlags": effective_flags(settings, agent),
        "repositoryDoc": _document(tx, account, "Repository — Primary"),
        "globalBriefingDoc": _document(tx, account, "Account Briefing") if in_chat else None,
        "taskOverview": _overview(tx, account) if in_chat else None,
    }


def _message(tx: Transaction, row: Doc) -> Doc | None:
    message = own(tx.get("messages", row.get("messageId")), row["accountId"])
    return message if message and message["taskId"] == row.get("taskId") else None


def _source_type(tx: Transaction, message: Doc | None) -> str | None:
    source = tx.get("notifications", (message or {}).get("sourceNotificationId"))
    return None if source is None else source["type"]


def _primary_user(tx: Transaction, task: Doc | None, items: list[Doc]) -> Doc | None:
    if task is None:
        return None
    people = (item["authorId"] for item in reversed(items) if item["authorType"] == "user")
    user = next(people, task["createdBy"])
    member = tx.first("memberships", accountId=task["accountId"], userId=user)
    if member is None:
        return None
    return {"id": user, "name": member["userName"], "email": member.get("userEmail")}


def _mentionable(agent: Doc) -> Doc:
    role = agent.get("role") or "Unknown"
    return {"id": agent["_id"], "slug": agent["slug"], "name": agent["name"], "role": role}


def _sort_key(agent: Doc) -> str:
    plain = unicodedata.normalize("NFKD", agent["slug"] or agent["name"])
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def _document(tx: Transaction, account: str, title: str) -> Doc | None:
    # Soft-deleted documents count too; that is how the backend is.
    for doc in tx.find("documents", accountId=account, type="reference"):
        if title in {doc.get("title"), doc.get("name")}:
            return {"title": title, "content": shortened(doc.get("content", ""), _DOCUMENT_UNITS)}
    return None


def _overview(tx: Transaction, account: str) -> Doc:
    totals, tops = [], []
    for status in _OVERVIEW_STATUSES:
        newest = tx.find("tasks", newest=True, limit=_SAMPLED, accountId=account, status=status)
        sample = [task for task in newest if CHAT_LABEL not in task["labels"]]
        best = sorted(sample, key=lambda task: (task["priority"], -task["createdAt"]))[:_SHOWN]
        totals.append({"status": status, "count": len(sample)})
        tops.append({"status": status, "tasks": [_overview_item(task) for task in best]})
    return {"totals": totals, "topTasks": tops}


def _overview_item(task: Doc) -> Doc:
    kept = ("title", "status", "priority", "assignedAgentIds", "assignedUserIds")
    return {"taskId": task["_id"], **{name: task[name] for name in kept}}


ACTIONS: Final[dict[str, Action]] = {
    "getNotificationForDelivery": action(get_notification, notificationId=NOTIFICATION),
}
