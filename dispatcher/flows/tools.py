"""Runs the tool calls of an answer, each once, with their results in the journal.

    t0  the journal says that call 2 is begun
    t1  the backend creates the task
    t2  the journal holds the result

A worker that dies between t0 and t2 leaves a call of which nobody knows whether it happened. What
may be repeated is repeated; the rest is told to the agent, which can look before it calls again.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from dispatcher.domain.errors import (
    BackendError,
    BackendGarbled,
    BackendMisused,
    BackendRedacted,
    BackendRefused,
    BackendUncertain,
)
from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Context
from dispatcher.domain.redact import short_error
from dispatcher.domain.reply import ToolCall
from dispatcher.domain.tools import (
    ALL_STATUSES,
    PRIORITY_ERROR,
    ArgumentsInvalid,
    Tool,
    ToolResult,
    offered,
    read_arguments,
    refusal_of,
    result_of,
)
from dispatcher.flows.desk import Attempt

CALLS_PER_ROUND: Final = 25
_STATUSES: Final = ("in_progress", "review", "done", "blocked")
_DOCUMENT_TYPES: Final = ("deliverable", "note", "template", "reference")

_log = logging.getLogger(__name__)

Arguments = dict[str, Any]
Content = Mapping[str, Any]


def run_calls(attempt: Attempt, context: Context) -> None:
    """Run the calls of the stored reply that have no result yet; the journal ends with all results.

    Raises:
        BackendError: The backend is away or rejects us; the call at hand did not happen.
        LeaseLost: The claim is gone.
    """
    reply = attempt.journal.reply
    tools = {tool.name: tool for tool in offered(context)}
    calls = reply.tool_calls if reply is not None else ()
    for index in range(len(attempt.journal.results), len(calls)):
        call = calls[index]
        if index >= CALLS_PER_ROUND:
            result = refusal_of(call, f"At most {CALLS_PER_ROUND} calls at once are run.")
        elif attempt.journal.calls_begun > index:
            result = _after_unknown(attempt, context, call, tools)
        else:
            result = _begin(attempt, context, call, tools)
        journal = attempt.journal
        attempt.keep(_at_tools(journal, results=(*journal.results, result)))


def _at_tools(journal: Journal, **changes: Any) -> Journal:  # noqa: ANN401 - see evolve
    return journal.evolve(stage=Stage.TOOLS, **changes)


def _begin(
    attempt: Attempt, context: Context, call: ToolCall, tools: Mapping[str, Tool]
) -> ToolResult:
    before = attempt.journal
    attempt.write(_at_tools(before, calls_begun=len(before.results) + 1))
    attempt.hold.check()
    try:
        return _run(attempt, context, call, tools)
    except BackendError:
        # Not executed: whoever goes on may run it for the first time.
        attempt.keep(_at_tools(before, calls_begun=len(before.results)))
        raise


def _after_unknown(
    attempt: Attempt, context: Context, call: ToolCall, tools: Mapping[str, Tool]
) -> ToolResult:
    """Deal with a call that an earlier attempt began and of which nobody knows the end."""
    attempt.hold.check()
    try:
        if _is_repeatable(call, tools):
            return _run(attempt, context, call, tools)
    except ArgumentsInvalid as error:
        return refusal_of(call, str(error))
    return _unknown(attempt, context, call)


def _run(
    attempt: Attempt, context: Context, call: ToolCall, tools: Mapping[str, Tool]
) -> ToolResult:
    """Run one call; whatever is the agent's fault becomes a result for it."""
    word = "refused"
    try:
        tool = _tool_of(call, tools)
        arguments = read_arguments(call, tool)
        result = result_of(call, _HANDLERS[tool.name](attempt, context, arguments))
        word = "done"
    except ArgumentsInvalid as error:
        result = refusal_of(call, str(error))
    except (BackendRefused, BackendRedacted, BackendMisused) as error:
        result = refusal_of(call, short_error(str(error)))
    except (BackendUncertain, BackendGarbled):
        if _is_repeatable(call, tools):
            raise
        return _unknown(attempt, context, call)
    name = call.name if call.name in tools else "unknown"
    attempt.desk.tally.ran_tool(tool=name, result=word)
    _log.info("tool %s: %s", name, word, extra=attempt.fields("tool"))
    return result


def _tool_of(call: ToolCall, tools: Mapping[str, Tool]) -> Tool:
    if call.name not in tools:
        raise ArgumentsInvalid(f"Unknown tool: {call.name}")
    return tools[call.name]


def _unknown(attempt: Attempt, context: Context, call: ToolCall) -> ToolResult:
    """Tell the agent that nobody knows whether its call happened, and what was found."""
    attempt.desk.tally.ran_tool(tool=call.name, result="unknown")
    _log.warning("tool %s: its outcome is unknown", call.name, extra=attempt.fields("tool"))
    found = _documents_of(attempt, context, call) if call.name == "document_upsert" else ()
    content = {
        "success": False,
        "outcome": "unknown",
        "error": "The connection broke: this may or may not have been done. "
        "Check before you repeat it.",
    }
    return result_of(call, content | ({"found": list(found)} if found else {}))


def _documents_of(attempt: Attempt, context: Context, call: ToolCall) -> tuple[Content, ...]:
    """Look for documents of the title that was to be created; best effort."""
    try:
        arguments = read_arguments(call, {tool.name: tool for tool in offered(context)}[call.name])
        task = arguments.get("taskId")
        found = attempt.desk.actions.documents(task=TaskId(task) if task else None)
    except (ArgumentsInvalid, KeyError, BackendError):
        return ()
    title = str(arguments.get("title", "")).strip()
    return tuple(
        {"documentId": one.get("_id"), "title": title} for one in found if one.get("title") == title
    )


def _is_repeatable(call: ToolCall, tools: Mapping[str, Tool]) -> bool:
    """Say whether running a call twice ends in the same state as running it once."""
    match call.name:
        case "task_create":
            return False
        case "document_upsert" if call.name in tools:
            return "documentId" in read_arguments(call, tools[call.name])
        case _:
            return True


def _task_status(attempt: Attempt, context: Context, arguments: Arguments) -> Content:
    status, task = arguments.get("status"), _task_of(context, arguments)
    statuses = _statuses_of(context)
    if status == "done" and "done" not in statuses:
        raise ArgumentsInvalid("Forbidden: Not allowed to mark tasks as done")
    if status not in _STATUSES:
        raise ArgumentsInvalid(f"Invalid status: must be one of {', '.join(_STATUSES)}")
    reason = str(arguments.get("blockedReason", "")).strip() or None
    if status == "blocked" and reason is None:
        raise ArgumentsInvalid("blockedReason is required when status is blocked")
    now = attempt.desk.actions.set_status(
        agent=_agent(attempt), task=task, status=status, blocked_reason=reason
    )
    return {"success": True} if now == status else {"success": True, "status": now}


def _task_create(attempt: Attempt, context: Context, arguments: Arguments) -> Content:
    fields = dict(arguments)
    fields["title"] = str(fields.get("title", "")).strip()
    if not fields["title"]:
        raise ArgumentsInvalid("title is required")
    priority = fields.get("priority", 3)
    if not 1 <= priority <= 5:
        raise ArgumentsInvalid(PRIORITY_ERROR)
    if fields.get("status") not in ALL_STATUSES:
        fields.pop("status", None)
    leads = context.orchestrator == attempt.claim.entry.agent
    if leads and fields.get("status") in {"assigned", "in_progress"}:
        # The backend would make the creator its assignee, and the lead works through others.
        fields["status"] = "inbox"
    for name in ("description", "blockedReason"):
        if name in fields:
            fields[name] = fields[name].strip()
    task = attempt.desk.actions.create_task(agent=_agent(attempt), fields=fields)
    return {"success": True, "taskId": task}


def _document_upsert(attempt: Attempt, _context: Context, arguments: Arguments) -> Content:
    fields = dict(arguments)
    fields["title"] = str(fields.get("title", "")).strip()
    if (
        not fields["title"]
        or not fields.get("content")
        or fields.get("type") not in _DOCUMENT_TYPES
    ):
        raise ArgumentsInvalid(
            "title, content, and type (deliverable|note|template|reference) are required"
        )
    document = attempt.desk.actions.put_document(agent=_agent(attempt), fields=fields)
    return {"success": True, "documentId": document}


def _statuses_of(context: Context) -> list[str]:
    tool = next((one for one in offered(context) if one.name == "task_status"), None)
    return list(tool.properties["status"]["enum"]) if tool else []


def _task_of(context: Context, arguments: Arguments) -> TaskId:
    named = str(arguments.get("taskId", "")).strip()
    if not named and context.task is None:
        raise ArgumentsInvalid("taskId is required")
    return TaskId(named) if named or context.task is None else context.task.task_id


def _agent(attempt: Attempt) -> AgentId:
    return attempt.claim.entry.agent


_HANDLERS: Final[Mapping[str, Callable[[Attempt, Context, Arguments], Content]]] = {
    "task_status": _task_status,
    "task_create": _task_create,
    "document_upsert": _document_upsert,
}
