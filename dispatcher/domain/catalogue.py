"""The catalogue of tools: every tool that there is, and which of them an agent has in a turn."""

from collections.abc import Mapping
from typing import Any, Final

from dispatcher.domain.rights import Rights
from dispatcher.domain.tools import Tool

STATUSES: Final = ("in_progress", "review", "done", "blocked")
"""What an agent may set a task to."""
FIRST_STATUSES: Final = ("inbox", "assigned", "in_progress", "review", "done", "blocked")
"""Where a new task may start."""
ALL_STATUSES: Final = (*FIRST_STATUSES, "archived")
DOCUMENT_TYPES: Final = ("deliverable", "note", "template", "reference")

Schema = Mapping[str, Any]


def offered(rights: Rights) -> tuple[Tool, ...]:
    """Choose the tools of a turn by its task and the agent's rights, in the order they are told."""
    flags, has_task = rights.flags, rights.task is not None
    wanted = (
        (has_task and flags.can_modify_task_status,
            (_task_status(may_mark_done=rights.may_mark_done), _TASK_UPDATE)),
        (flags.can_create_tasks, (_TASK_CREATE,)),
        (flags.can_create_documents, (_DOCUMENT_UPSERT,)),
        (flags.can_create_documents or has_task, (_DOCUMENT_LIST,)),
        (has_task and flags.can_mention_agents, (_RESPONSE_REQUEST,)),
        (True, (_GET_AGENT_SKILLS, _TASK_LOAD)),
        (has_task, (_TASK_HISTORY,)),
        (rights.is_orchestrator, _FOR_THE_LEAD),
    )  # fmt: skip
    return tuple(tool for is_given, tools in wanted if is_given for tool in tools)


def _text(meaning: str) -> Schema:
    return {"type": "string", "description": meaning}


def _number(meaning: str) -> Schema:
    return {"type": "number", "description": meaning}


def _texts(meaning: str) -> Schema:
    return {"type": "array", "items": {"type": "string"}, "description": meaning}


def _choice(meaning: str, values: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": list(values), "description": meaning}


_THE_TASK: Final = _text("The task's id, as in the prompt.")
_ANY_TASK: Final = _text("The id of any task of the account.")
_REASON: Final = _text("Why it is blocked; needed with the status blocked.")
_PRIORITY: Final = _number("1 (highest) to 5 (lowest); usually 3.")
_DUE: Final = _number("When it is due, in ms since 1970.")
_NO_TASK: Final = "it needs a task, and this turn has none, or your rights do not allow it"
_ONLY_LEAD: Final = "Forbidden: Only the orchestrator can "


def _task_status(*, may_mark_done: bool) -> Tool:
    statuses = tuple(name for name in STATUSES if may_mark_done or name != "done")
    return Tool(
        name="task_status",
        path="task-status",
        label="change task status (task_status tool)",
        description="Set the status of the task. Call it before you answer: words alone change "
        "nothing.",
        properties={
            "taskId": _THE_TASK,
            "status": _choice("The new status.", statuses),
            "blockedReason": _REASON,
        },
        required=("taskId", "status"),
        denial=f"Forbidden: you cannot change the status: {_NO_TASK}",
    )


_TASK_UPDATE: Final = Tool(
    name="task_update",
    path="task-update",
    label="update task fields (task_update tool): title"
    "/description/priority/labels/assignees/status/dueDate",
    description="Change fields of the task; what you leave out stays. Call it before you answer: "
    "words alone change nothing. To wake an agent use response_request; assigning here does not.",
    properties={
        "taskId": _THE_TASK,
        "title": _text("The new title."),
        "description": _text("The new description, in Markdown."),
        "priority": _PRIORITY,
        "labels": _texts("All labels; they take the place of the old ones."),
        "assignedAgentIds": _texts("Ids of all assigned agents (not slugs)."),
        "assignedUserIds": _texts("Ids of all assigned people."),
        "status": _choice("The new status.", STATUSES),
        "blockedReason": _REASON,
        "dueDate": _DUE,
    },
    required=("taskId",),
    denial=f"Forbidden: you cannot change the task: {_NO_TASK}",
)

_TASK_CREATE: Final = Tool(
    name="task_create",
    path="task-create",
    label="create tasks (task_create tool)",
    description="Create a follow-up task. Without the lead's role you become its assignee when it "
    "starts as assigned or in_progress; a task of the lead stays unassigned without assigneeSlugs.",
    properties={
        "title": _text("What is to be done, in one line."),
        "description": _text("The details, in Markdown."),
        "priority": _PRIORITY,
        "labels": _texts("Labels."),
        "status": _choice("Where it starts; inbox unless given.", FIRST_STATUSES),
        "blockedReason": _REASON,
        "dueDate": _DUE,
        "assigneeSlugs": _texts("Slugs of the agents to assign; only for the orchestrator."),
    },
    required=("title",),
    is_repeatable=False,
    denial="Forbidden: Agent is not allowed to create tasks",
)

_DOCUMENT_UPSERT: Final = Tool(
    name="document_upsert",
    path="document",
    label="create/update documents (document_upsert tool)",
    description="Create a document, or change one. This is the only way to deliver one: put its "
    "link into your answer, and never share it through a channel.",
    properties={
        "documentId": _text("The document to change; leave it out to create one."),
        "taskId": _text("The task that it belongs to."),
        "title": _text("Its title."),
        "content": _text("Its text, in Markdown."),
        "type": _choice("What it is.", DOCUMENT_TYPES),
    },
    required=("title", "content", "type"),
    is_repeatable=False,
    denial="Forbidden: Agent is not allowed to create documents",
)

_DOCUMENT_LIST: Final = Tool(
    name="document_list",
    path="document-list",
    label="List documents (document_list)",
    description="List documents, the newest first.",
    properties={
        "taskId": _text("Only those of this task."),
        "type": _choice("Only those of this type.", DOCUMENT_TYPES),
        "limit": _number("At most so many: 50 unless given, 100 at most."),
    },
    denial=f"Forbidden: you cannot list documents: {_NO_TASK}",
)

_RESPONSE_REQUEST: Final = Tool(
    name="response_request",
    path="response-request",
    label="request agent responses (response_request tool)",
    description="Ask other agents for a response in the task's thread. Use it instead of mentions, "
    "which do not notify agents. Whoever has an open request already is not asked again.",
    properties={
        "taskId": _text("The task; the one of this turn unless given."),
        "recipientSlugs": _texts("Slugs of the agents, at most 10."),
        "message": _text("What you need from them, at most 1000 characters."),
    },
    required=("recipientSlugs", "message"),
    denial=f"Forbidden: you cannot request responses: {_NO_TASK}",
)

_GET_AGENT_SKILLS: Final = Tool(
    name="get_agent_skills",
    path="get-agent-skills",
    label="query agent skills (get_agent_skills tool)",
    description="See which skills the agents have. Every agent may. Your own are in TOOLS.md and "
    "in skills/<slug>/SKILL.md of your workspace.",
    properties={"agentId": _text("Only of this agent; leave it out for all.")},
    denial="Forbidden: you cannot query skills",
)

_TASK_LOAD: Final = Tool(
    name="task_load",
    path="task-load",
    label="load task details with thread (task_load tool)",
    description="Get a task with its thread in one call.",
    properties={
        "taskId": _ANY_TASK,
        "messageLimit": _number("The newest so many messages: 10 unless given, 200 at most."),
    },
    required=("taskId",),
    denial="Forbidden: you cannot load tasks",
)

_TASK_HISTORY: Final = Tool(
    name="task_history",
    path="task-history",
    label="load task history: messages + activities (task_history tool)",
    description="Get what was said and what was done in a task: messages oldest first, activities "
    "newest first.",
    properties={
        "taskId": _ANY_TASK,
        "messageLimit": _number("So many messages: 25 unless given, 200 at most."),
        "activityLimit": _number("So many activities: 30 unless given, 200 at most."),
    },
    required=("taskId",),
    denial="Forbidden: you cannot load the history: this turn has no task",
)


def _for_lead(name: str, does: str, may: str, description: str, **more: Any) -> Tool:  # noqa: ANN401 - fields of Tool
    return Tool(
        name=name,
        path=name.replace("_", "-"),
        label=f"{does} ({name} tool)",
        description=f"{description} For the orchestrator only.",
        is_for_lead=True,
        denial=_ONLY_LEAD + may,
        **more,
    )


_FOR_THE_LEAD: Final = (
    _for_lead(
        "task_assign", "assign agents", "assign agents",
        "Add agents to a task; they are told of it.",
        properties={
            "taskId": _ANY_TASK,
            "assigneeSlugs": _texts("Slugs of the agents to add."),
        },
        required=("taskId", "assigneeSlugs"),
    ),
    _for_lead(
        "task_message", "post to other tasks", "post task messages",
        "Write a message into the thread of another task.",
        properties={"taskId": _ANY_TASK, "content": _text("The message, in Markdown.")},
        required=("taskId", "content"),
        is_repeatable=False,
    ),
    _for_lead(
        "task_list", "list tasks", "list tasks",
        "List tasks.",
        properties={
            "status": _choice("Only those of this status.", ALL_STATUSES),
            "assigneeSlug": _text("Only those of this agent."),
            "limit": _number("At most so many: 50 unless given, 200 at most."),
        },
    ),
    _for_lead(
        "task_get", "get task details", "get tasks",
        "Get one task.",
        properties={"taskId": _ANY_TASK},
        required=("taskId",),
    ),
    _for_lead(
        "task_thread", "read task threads", "read task threads",
        "Read the thread of a task.",
        properties={
            "taskId": _ANY_TASK,
            "limit": _number("The newest so many messages: 50 unless given, 200 at most."),
        },
        required=("taskId",),
    ),
    _for_lead(
        "task_search", "search tasks", "search tasks",
        "Find tasks whose title, description or blocked reason contains a text.",
        properties={
            "query": _text("The text."),
            "limit": _number("At most so many: 20 unless given, 100 at most."),
        },
        required=("query",),
    ),
    _for_lead(
        "task_delete", "archive/delete tasks", "delete/archive tasks",
        "Archive a task. A reason is needed; its messages and documents stay.",
        properties={"taskId": _ANY_TASK, "reason": _text("Why it is archived.")},
        required=("taskId", "reason"),
    ),
    _for_lead(
        "task_link_pr", "link tasks to PRs", "link tasks to PRs",
        "Link a task to a pull request.",
        properties={"taskId": _ANY_TASK, "prNumber": _number("The number of the pull request.")},
        required=("taskId", "prNumber"),
    ),
)  # fmt: skip

EVERY_TOOL: Final[Mapping[str, Tool]] = {
    tool.name: tool
    for tool in (
        _task_status(may_mark_done=True), _TASK_UPDATE, _TASK_CREATE, _DOCUMENT_UPSERT,
        _DOCUMENT_LIST, _RESPONSE_REQUEST, _GET_AGENT_SKILLS, _TASK_LOAD, _TASK_HISTORY,
        *_FOR_THE_LEAD,
    )
}  # fmt: skip
"""By name; what one agent has in one turn says ``offered``."""
