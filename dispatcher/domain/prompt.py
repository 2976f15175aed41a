"""Gathers what an agent is told: the facts of the instructions and of the prompt itself.

The words stand in templates. All foreign text that goes into them is fenced and bounded here. Should
the whole still be longer than ``PROMPT_LIMIT``, the oldest messages of the thread are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from dispatcher.domain.catalogue import EVERY_TOOL, offered
from dispatcher.domain.fence import fenced, one_line
from dispatcher.domain.notification import Agent, Context, Kind, Message, Overview
from dispatcher.domain.policy import is_one_of_several_assignees
from dispatcher.domain.reply import SILENCE_WORD
from dispatcher.domain.rights import Rights, rights_of
from dispatcher.domain.text import utf16_units
from dispatcher.domain.tools import Tool, body_form

TITLE_LIMIT: Final = 500
BODY_LIMIT: Final = 15_000
DESCRIPTION_LIMIT: Final = 4_000
DOCUMENT_LIMIT: Final = 4_000
ENTRY_LIMIT: Final = 1_500
ENTRIES: Final = 25
CREW: Final = 25
NAME_LIMIT: Final = 120
TASK_TITLE_LIMIT: Final = 300
PROMPT_LIMIT: Final = 120_000

_RESPONDS: Final = frozenset({Kind.THREAD_UPDATE, Kind.MENTION, Kind.RESPONSE_REQUEST})
_GROUPS: Final = 7
_TOP_TASKS: Final = 3
_ASSIGNEES: Final = 10
_PATHS: Final = {tool.name: tool.path for tool in EVERY_TOOL.values()}


class Render(Protocol):
    """Fills a template by its name."""

    def __call__(self, template: str, /, **facts: Any) -> str:  # noqa: ANN401 - see the templates
        """Return the text without blanks around it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How an agent acts in a turn: by tools of the request, or over HTTP.

    Attributes:
        base_url: Where the runtime serves ``/agent/*``, without a slash at the end.
        token: What proves who calls over HTTP; None when the request brings tools.
    """

    base_url: str
    token: str | None = None


def build_instructions(
    context: Context, render: Render, *, reach: Reach, may_stay_silent: bool, is_repeated: bool
) -> str:
    """Build the system part of a turn.

    Args:
        context: Of what people and agents wrote only names, roles, slugs, the task's title and its
            status come in here.
        render: Fills the templates.
        reach: How the agent acts.
        may_stay_silent: Nobody waits for an answer, so the agent gets a word for silence.
        is_repeated: The agent was asked before, and nobody knows what it did.
    """
    rights, agent = rights_of(context), context.agent
    kind = context.notification.kind
    return render(
        "instructions",
        name=one_line(agent.name if agent else "", NAME_LIMIT) or "Agent",
        role=one_line(agent.role if agent else "", NAME_LIMIT) or "Unknown role",
        is_assignment=kind is Kind.ASSIGNMENT,
        is_asked=kind in {Kind.MENTION, Kind.RESPONSE_REQUEST},
        is_lead=rights.is_orchestrator,
        is_chat=context.task is not None and context.task.is_orchestrator_chat,
        is_shared=is_one_of_several_assignees(context),
        is_repeated=is_repeated,
        silence=SILENCE_WORD if may_stay_silent else "",
        tools=[capability(tool, reach) for tool in offered(rights)],
        paths=_PATHS,
        reach=reach,
        task=_task(context),
        can=_can(rights),
        may_mark_done=rights.may_mark_done,
        ask_first=_ask_first(context, rights),
        orchestrator=_lead_label(context),
    )


def build_prompt(context: Context, render: Render) -> str:
    """Build the user part of a turn: the notification and everything around it."""
    entries = ENTRIES
    text = _prompt(context, render, entries=entries)
    while utf16_units(text) > PROMPT_LIMIT and entries > 0:
        entries -= 1
        text = _prompt(context, render, entries=entries)
    return text


def _prompt(context: Context, render: Render, *, entries: int) -> str:
    row, task, message = context.notification, context.task, context.message
    responds = row.kind in _RESPONDS and message is not None and message.content.strip()
    shown = context.thread[-entries:] if entries else ()
    crew = _crew(context)
    return render(
        "input",
        kind=one_line(row.kind_name, NAME_LIMIT),
        title=one_line(row.title, TITLE_LIMIT),
        body=fenced(row.body, BODY_LIMIT),
        request=_message(message) if responds and message else None,
        task=_task(context),
        description=_document(task.description if task else "", DESCRIPTION_LIMIT),
        repository=_document(context.repository, DOCUMENT_LIMIT),
        briefing=_document(context.briefing, DOCUMENT_LIMIT),
        overview=_overview(context.overview, context.crew) if context.overview else None,
        latest=_message(message) if message else None,
        thread=[_entry(one) for one in shown],
        left_out=len(context.thread) - len(shown),
        crew=crew[:CREW],
        more_crew=max(0, len(crew) - CREW),
        primary_user=_primary_user(context),
        is_assignment=row.kind is Kind.ASSIGNMENT,
        notification_id=row.notification_id,
    )


def capability(tool: Tool, reach: Reach) -> str:
    """Name a tool, or its endpoint with the fields of its body."""
    if reach.token is None:
        return tool.label
    return f"{tool.does}: `POST /agent/{tool.path}` with `{body_form(tool)}`"


def _can(rights: Rights) -> Mapping[str, bool]:
    flags = rights.flags
    return {
        "set_status": flags.can_modify_task_status,
        "mark_done": flags.can_mark_done,
        "create_tasks": flags.can_create_tasks,
        "create_documents": flags.can_create_documents,
        "ask_agents": flags.can_mention_agents and rights.task is not None,
    }


def _ask_first(context: Context, rights: Rights) -> str:
    """Say whom an assigned agent turns to with its questions."""
    others = {one.agent_id for one in context.crew} - {rights.agent}
    if _can(rights)["ask_agents"] and context.orchestrator in others:
        return "orchestrator"
    return "user" if context.primary_user is not None else "thread"


def _lead_label(context: Context) -> str:
    lead = next((one for one in context.crew if one.agent_id == context.orchestrator), None)
    return one_line((lead.slug or lead.name) if lead else "", NAME_LIMIT) or "orchestrator"


def _task(context: Context) -> Mapping[str, str] | None:
    if context.task is None:
        return None
    return {
        "task_id": one_line(context.task.task_id, NAME_LIMIT),
        # It stands in quotes, and must not end them.
        "title": one_line(context.task.title, TASK_TITLE_LIMIT).replace('"', "'"),
        "status": one_line(context.task.status, NAME_LIMIT),
    }


def _document(text: str, limit: int) -> str:
    return fenced(text, limit) if text.strip() else ""


def _overview(overview: Overview, crew: tuple[Agent, ...]) -> Mapping[str, Any]:
    labels = {one.agent_id: _slug_of(one) for one in crew}
    groups = [
        (
            one_line(status, NAME_LIMIT),
            [
                {
                    "priority": task.priority,
                    "title": one_line(task.title, TASK_TITLE_LIMIT),
                    "task_id": one_line(task.task_id, NAME_LIMIT),
                    "assignees": [
                        labels.get(agent, one_line(agent, NAME_LIMIT))
                        for agent in task.assignees[:_ASSIGNEES]
                    ],
                    "users": task.users,
                }
                for task in tasks[:_TOP_TASKS]
            ],
        )
        for status, tasks in overview.groups[:_GROUPS]
        if tasks
    ]
    totals = [f"{one_line(name, NAME_LIMIT)}={count}" for name, count in overview.totals[:_GROUPS]]
    return {"totals": totals, "groups": groups}


def _slug_of(agent: Agent) -> str:
    label = one_line(agent.slug or agent.name or agent.agent_id, NAME_LIMIT)
    return f'"{label}"' if " " in label else label


def _crew(context: Context) -> list[str]:
    """List whom the agent can ask: nobody without a task or the right, and never itself."""
    if not _can(rights_of(context))["ask_agents"]:
        return []
    others = (one for one in context.crew if one.agent_id != context.notification.recipient)
    return [_member(one) for one in others]


def _member(agent: Agent) -> str:
    slug, name = one_line(agent.slug, NAME_LIMIT), one_line(agent.name, NAME_LIMIT)
    role = one_line(agent.role, NAME_LIMIT) or "Unknown"
    if slug:
        return f"@{slug} - {name} ({role})"
    quoted = name.replace('"', "")
    return f'@"{quoted}" - {name} ({role})' if quoted else f"{name} ({role})"


def _primary_user(context: Context) -> str:
    user = context.primary_user
    if user is None:
        return ""
    name = one_line(user.name, NAME_LIMIT)
    quoted = name.replace('"', "")
    return f'@"{quoted}" - {name}' if quoted else one_line(user.user_id, NAME_LIMIT)


def _entry(message: Message) -> Mapping[str, str]:
    at = "unknown_time"
    if message.created_at_ms:
        at = datetime.fromtimestamp(message.created_at_ms / 1000, UTC).isoformat()
    # Later lines are indented, so that no message can pretend to be another entry.
    content = fenced(message.content, ENTRY_LIMIT).replace("\n", "\n  ")
    return {"at": at, "author": _author(message), "content": content}


def _message(message: Message) -> Mapping[str, str]:
    return {
        "author": _author(message),
        "by": one_line(f"{message.author_type}:{message.author_id}", NAME_LIMIT),
        "message_id": one_line(message.message_id, NAME_LIMIT),
        "content": fenced(message.content, BODY_LIMIT),
    }


def _author(message: Message) -> str:
    named = message.author_name or f"{message.author_type}:{message.author_id}"
    return one_line(named, NAME_LIMIT)
