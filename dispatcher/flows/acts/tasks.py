"""Tools that change tasks, or wake agents."""

from typing import Any, Final

from dispatcher.domain.catalogue import FIRST_STATUSES, STATUSES
from dispatcher.domain.text import utf16_units
from dispatcher.domain.tools import PRIORITY_ERROR, CallRefused
from dispatcher.flows.acts.errand import (
    Content,
    Errand,
    forbidden,
    missing,
    not_one_of,
    slugs_of,
)

_UPDATABLE: Final = (
    "title", "description", "priority", "labels", "assignedAgentIds", "assignedUserIds", "status",
    "dueDate",
)  # fmt: skip
_STATUS_FIELDS: Final = "Missing required fields: taskId, status"
_MOST_RECIPIENTS: Final = 10
_LONGEST_REQUEST: Final = 1_000


def set_status(errand: Errand) -> Content:
    """Set the status of a task."""
    _check_done(errand)
    task = errand.task(or_that_of_turn=True, at_endpoint=_STATUS_FIELDS)
    if "status" not in errand.arguments:
        raise missing(str(not_one_of("status", STATUSES)), _STATUS_FIELDS)
    status = _status(errand, STATUSES)
    reason = _blocked_reason(errand)
    done = errand.actions.set_status(
        agent=errand.agent, task=task, status=status, blocked_reason=reason
    )
    # The backend says success even when it left the task where it was.
    return {**done, "success": True}


def update(errand: Errand) -> Content:
    """Change fields of a task."""
    _check_done(errand)
    task = errand.task(or_that_of_turn=True, at_endpoint="Missing required field: taskId")
    fields: dict[str, Any] = {
        name: errand.arguments[name] for name in _UPDATABLE if name in errand.arguments
    }
    if not fields:
        raise missing(f"At least one field must be given: {', '.join(_UPDATABLE)}")
    if "status" in fields:
        fields["status"] = _status(errand, STATUSES)
        reason = _blocked_reason(errand, quoted=True)
        fields |= {"blockedReason": reason} if reason else {}
    if not 1 <= fields.get("priority", 3) <= 5:
        raise CallRefused("priority must be between 1 (highest) and 5 (lowest)")
    fields |= {name: errand.text(name) for name in ("title", "description") if name in fields}
    changed = errand.actions.update_task(agent=errand.agent, task=task, fields=fields)
    message = f"Modified: {', '.join(changed)}" if changed else "Nothing changed"
    return {"success": True, "taskId": task, "changedFields": list(changed), "message": message}


def create(errand: Errand) -> Content:
    """Create a task."""
    title = errand.text("title")
    if not title:
        raise missing("title is required", "Missing required field: title")
    if slugs_of(errand.arguments.get("assigneeSlugs", ())) and not errand.rights.is_orchestrator:
        raise forbidden("Forbidden: Only the orchestrator can assign agents during task creation")
    _check_done(errand)
    if not 1 <= errand.arguments.get("priority", 3) <= 5:
        raise CallRefused(PRIORITY_ERROR)
    fields = _fields_of_new(errand) | {"title": title}
    # The lead works through others; the backend refuses nobody, so it is taken out here.
    assignees = [agent for agent in errand.agents("assigneeSlugs") if agent != errand.agent]
    if assignees:
        fields["assignedAgentIds"] = assignees
    task = errand.actions.create_task(agent=errand.agent, fields=fields)
    return {"success": True, "taskId": task}


def _fields_of_new(errand: Errand) -> dict[str, Any]:
    fields = {name: value for name, value in errand.arguments.items() if name != "assigneeSlugs"}
    if "status" in fields:
        fields["status"] = _status(errand, FIRST_STATUSES)
        _blocked_reason(errand)
    if errand.rights.is_orchestrator and fields.get("status") in {"assigned", "in_progress"}:
        # The backend would make the creator its assignee.
        fields["status"] = "inbox"
    for name in ("description", "blockedReason"):
        if name in fields:
            fields[name] = errand.text(name)
    return fields


def assign(errand: Errand) -> Content:
    """Add agents to a task."""
    task = errand.task(at_endpoint="Missing required field: taskId")
    if not slugs_of(errand.arguments.get("assigneeSlugs", ())):
        raise missing("assigneeSlugs is required", "Missing required field: assigneeSlugs")
    assignees = errand.agents("assigneeSlugs")
    errand.actions.assign(agent=errand.agent, task=task, assignees=assignees)
    return {"success": True, "taskId": task}


def request_responses(errand: Errand) -> Content:
    """Ask other agents for a response."""
    task = errand.task(or_that_of_turn=True, at_endpoint="Missing required field: taskId")
    slugs = slugs_of(errand.arguments.get("recipientSlugs", ()))
    message = errand.text("message")
    if not slugs:
        raise missing("recipientSlugs is required", "Missing required field: recipientSlugs")
    if not message:
        raise missing("message is required", "Missing required field: message")
    if len(slugs) > _MOST_RECIPIENTS:
        raise CallRefused(f"Too many recipients: max {_MOST_RECIPIENTS} allowed per request")
    if utf16_units(message) > _LONGEST_REQUEST:
        raise CallRefused(f"Message too long: max {_LONGEST_REQUEST} characters allowed")
    made = errand.actions.request_responses(
        agent=errand.agent, task=task, slugs=slugs, message=message
    )
    ids = {"notificationIds": list(made)}
    return {"success": True, **ids, "data": ids}


def say(errand: Errand) -> Content:
    """Post into the thread of any task."""
    content = errand.text("content")
    if not errand.text("taskId") or not content:
        raise missing("taskId and content are required", "Missing required fields: taskId, content")
    message = errand.actions.say_in_task(agent=errand.agent, task=errand.task(), content=content)
    return {"success": True, "messageId": message}


def archive(errand: Errand) -> Content:
    """Archive a task."""
    reason = errand.text("reason")
    if not errand.text("taskId") or not reason:
        raise missing("taskId and reason are required", "Missing required fields: taskId, reason")
    errand.actions.archive_task(agent=errand.agent, task=errand.task(), reason=reason)
    return {"success": True}


def link(errand: Errand) -> Content:
    """Link a task to a pull request."""
    task, number = errand.task(), errand.arguments.get("prNumber")
    if number is None:
        raise missing("prNumber is required and must be numeric")
    errand.actions.link_task(agent=errand.agent, task=task, number=number)
    return {"success": True, "data": {"taskId": task, "prNumber": number}}


def _check_done(errand: Errand) -> None:
    if errand.text("status") == "done" and not errand.rights.may_mark_done:
        raise forbidden("Forbidden: Not allowed to mark tasks as done")


def _status(errand: Errand, allowed: tuple[str, ...]) -> str:
    status = errand.text("status")
    if status not in allowed:
        raise not_one_of("status", allowed)
    return status


def _blocked_reason(errand: Errand, *, quoted: bool = False) -> str | None:
    reason = errand.text("blockedReason")
    if errand.text("status") == "blocked" and not reason:
        blocked = "'blocked'" if quoted else "blocked"
        raise CallRefused(f"blockedReason is required when status is {blocked}")
    return reason or None
