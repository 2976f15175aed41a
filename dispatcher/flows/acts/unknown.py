"""What an agent is told when nobody knows whether its call happened."""

from typing import Final

from dispatcher.domain.errors import BackendError
from dispatcher.domain.ids import TaskId
from dispatcher.flows.acts.errand import Content, Errand

_LOOKED_THROUGH: Final = 100


def unknown_outcome(name: str, errand: Errand) -> Content:
    """Look for what a call was to make, as far as the backend lets us, and tell what was found."""
    try:
        found = _look_for(name, errand)
    except BackendError:
        found = ()
    content = {
        "success": False,
        "outcome": "unknown",
        "error": "The connection broke: this may or may not have been done. "
        "Check before you repeat it.",
    }
    return content | ({"found": list(found)} if found else {})


def _look_for(name: str, errand: Errand) -> tuple[Content, ...]:
    limit = {"limit": _LOOKED_THROUGH}
    title, task = errand.text("title"), errand.text("taskId")
    match name:
        case "document_upsert":
            fields = limit | ({"taskId": task} if task else {})
            rows = errand.actions.documents(fields=fields)
            return _titled(title, "documentId", rows)
        case "task_create" if errand.rights.is_orchestrator:
            rows = errand.actions.search(agent=errand.agent, fields={"query": title} | limit)
            return _titled(title, "taskId", rows)
        case "task_message" if task:
            rows = errand.actions.thread(agent=errand.agent, task=TaskId(task), fields=limit)
            said = errand.text("content")
            return tuple(
                {"messageId": row.get("messageId")}
                for row in rows
                if row.get("authorId") == errand.agent and row.get("content") == said
            )
        case _:
            return ()


def _titled(title: str, name: str, rows: tuple[Content, ...]) -> tuple[Content, ...]:
    return tuple(
        {name: row.get("_id"), "title": title} for row in rows if row.get("title") == title
    )
