"""The backend's context of a delivery and its crew, read into the domain; see ``wire``."""

import logging
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationError

from dispatcher.adapters.wire import (
    Millis,
    Text,
    Wire,
    WireNotification,
    as_list,
    as_objects,
    describe,
)
from dispatcher.domain.errors import BackendGarbled, ContextMalformed
from dispatcher.domain.ids import AgentId, MessageId, SessionKey, TaskId
from dispatcher.domain.notification import (
    Agent,
    Context,
    Flags,
    Kind,
    Message,
    Overview,
    Person,
    Task,
    TopTask,
)
from dispatcher.domain.roster import Member

_log = logging.getLogger(__name__)

_USUAL_MIN: Final = 5.0
_LEAST_MIN: Final = 1.0
_MOST_MIN: Final = 7 * 24 * 60.0


def _as_minutes(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return _USUAL_MIN
    # Bounded first: a whole number can be too large to be a float.
    return float(min(max(value, _LEAST_MIN), _MOST_MIN))


class _WireAgent(Wire):
    id_: str = Field(alias="_id")
    name: Text = ""
    slug: Text = ""
    role: Text = ""

    def read(self) -> Agent:
        return Agent(agent_id=AgentId(self.id_), name=self.name, slug=self.slug, role=self.role)


class _WireTask(Wire):
    id_: str = Field(alias="_id")
    title: Text = ""
    status: Text = ""
    description: Text = ""
    labels: Annotated[list[str], BeforeValidator(as_list)] = Field(default=[])
    assigned_agents: Annotated[list[str], BeforeValidator(as_list)] = Field(
        alias="assignedAgentIds", default=[]
    )

    def read(self) -> Task:
        return Task(
            task_id=TaskId(self.id_),
            title=self.title,
            status=self.status,
            description=self.description,
            labels=tuple(self.labels),
            assigned_agents=tuple(AgentId(agent) for agent in self.assigned_agents),
        )


class _WireMessage(Wire):
    id_: str = Field(alias="_id")
    author_type: Text = Field(alias="authorType", default="")
    author_id: Text = Field(alias="authorId", default="")
    content: Text = ""
    created_at: Millis = Field(alias="createdAt", default=0)

    def read(self, author_name: str | None) -> Message:
        return Message(
            message_id=MessageId(self.id_),
            author_type=self.author_type,
            author_id=self.author_id,
            author_name=author_name,
            content=self.content,
            created_at_ms=int(self.created_at),
        )


class WireThreadItem(Wire):
    """A message of a thread."""

    id_: str = Field(alias="messageId")
    author_type: Text = Field(alias="authorType", default="")
    author_id: Text = Field(alias="authorId", default="")
    author_name: str | None = Field(alias="authorName", default=None)
    content: Text = ""
    created_at: Millis = Field(alias="createdAt", default=0)

    def read(self) -> Message:
        """Read it into the domain."""
        return Message(
            message_id=MessageId(self.id_),
            author_type=self.author_type,
            author_id=self.author_id,
            author_name=self.author_name,
            content=self.content,
            created_at_ms=int(self.created_at),
        )


class _WireFlags(Wire):
    # By the old runtime's rule: one right is there unless taken away, the others when given.
    can_create_tasks: Any = Field(alias="canCreateTasks", default=False)
    can_modify_task_status: Any = Field(alias="canModifyTaskStatus", default=True)
    can_create_documents: Any = Field(alias="canCreateDocuments", default=False)
    can_mention_agents: Any = Field(alias="canMentionAgents", default=False)
    can_review_tasks: Any = Field(alias="canReviewTasks", default=False)
    can_mark_done: Any = Field(alias="canMarkDone", default=False)

    def read(self) -> Flags:
        return Flags(
            can_create_tasks=self.can_create_tasks is True,
            can_modify_task_status=self.can_modify_task_status is not False,
            can_create_documents=self.can_create_documents is True,
            can_mention_agents=self.can_mention_agents is True,
            can_review_tasks=self.can_review_tasks is True,
            can_mark_done=self.can_mark_done is True,
        )


class _WireDocument(Wire):
    content: Text = ""


class _WirePerson(Wire):
    id_: Text = Field(alias="id", default="")
    name: Text = ""

    def read(self) -> Person:
        return Person(user_id=self.id_, name=self.name)


class _WireTopTask(Wire):
    task_id: Text = Field(alias="taskId", default="")
    title: Text = ""
    priority: float = Field(default=3, ge=-1e9, le=1e9, allow_inf_nan=False)
    agents: Annotated[list[str], BeforeValidator(as_list)] = Field(
        alias="assignedAgentIds", default=[]
    )
    users: Annotated[list[str], BeforeValidator(as_list)] = Field(
        alias="assignedUserIds", default=[]
    )

    def read(self) -> TopTask:
        return TopTask(
            task_id=TaskId(self.task_id),
            title=self.title,
            priority=round(self.priority),
            assignees=tuple(AgentId(agent) for agent in self.agents),
            users=len(self.users),
        )


class _WireTotal(Wire):
    status: Text = ""
    count: float = Field(default=0, ge=0, le=1e9, allow_inf_nan=False)


class _WireGroup(Wire):
    status: Text = ""
    tasks: Annotated[list[_WireTopTask], BeforeValidator(as_list)] = Field(default=[])


class _WireOverview(Wire):
    totals: Annotated[list[_WireTotal], BeforeValidator(as_list)] = Field(default=[])
    groups: Annotated[list[_WireGroup], BeforeValidator(as_list)] = Field(
        alias="topTasks", default=[]
    )

    def read(self) -> Overview:
        return Overview(
            totals=tuple((one.status, int(one.count)) for one in self.totals),
            groups=tuple(
                (one.status, tuple(task.read() for task in one.tasks)) for one in self.groups
            ),
        )


class _WireMember(_WireAgent):
    # A heartbeat of no time at all would be one without end.
    heartbeat_min: Annotated[float, BeforeValidator(_as_minutes)] = Field(
        alias="heartbeatInterval", default=_USUAL_MIN
    )
    session_key: str | None = Field(alias="systemSessionKey", default=None)
    flags: _WireFlags | None = Field(alias="effectiveBehaviorFlags", default=None)

    def member(self) -> Member:
        return Member(
            agent=self.read(),
            flags=self.flags.read() if self.flags else Flags(),
            session_key=SessionKey(self.session_key) if self.session_key else None,
            # Whole seconds, as the roster keeps it: else every sync would see a change.
            heartbeat=timedelta(seconds=round(self.heartbeat_min * 60)),
        )


class _WireContext(Wire):
    notification: WireNotification
    agent: _WireAgent | None = None
    task: _WireTask | None = None
    message: _WireMessage | None = None
    thread: Annotated[list[WireThreadItem], BeforeValidator(as_list)] = Field(default=[])
    source_type: str | None = Field(alias="sourceNotificationType", default=None)
    orchestrator: str | None = Field(alias="orchestratorAgentId", default=None)
    flags: _WireFlags | None = Field(alias="effectiveBehaviorFlags", default=None)
    session_key: str | None = Field(alias="deliverySessionKey", default=None)
    crew: Annotated[list[dict[str, Any]], BeforeValidator(as_objects)] = Field(
        alias="mentionableAgents", default=[]
    )
    primary_user: _WirePerson | None = Field(alias="primaryUserMention", default=None)
    repository: _WireDocument | None = Field(alias="repositoryDoc", default=None)
    briefing: _WireDocument | None = Field(alias="globalBriefingDoc", default=None)
    overview: _WireOverview | None = Field(alias="taskOverview", default=None)

    def read(self) -> Context:
        thread = tuple(item.read() for item in self.thread)
        names = {item.message_id: item.author_name for item in thread}
        message = self.message
        return Context(
            notification=self.notification.read(),
            agent=self.agent.read() if self.agent else None,
            task=self.task.read() if self.task else None,
            message=message.read(names.get(MessageId(message.id_))) if message else None,
            thread=thread,
            source_kind=Kind(self.source_type) if self.source_type else None,
            orchestrator=AgentId(self.orchestrator) if self.orchestrator else None,
            flags=self.flags.read() if self.flags else Flags(),
            session_key=SessionKey(self.session_key) if self.session_key else None,
            crew=tuple(_read_member_of_crew(one) for one in self.crew),
            primary_user=self.primary_user.read() if self.primary_user else None,
            repository=self.repository.content if self.repository else "",
            briefing=self.briefing.content if self.briefing else "",
            overview=self.overview.read() if self.overview else None,
        )


def _read_member_of_crew(fields: dict[str, Any]) -> Agent:
    texts = {name: str(fields.get(name) or "") for name in ("id", "name", "slug", "role")}
    return Agent(
        agent_id=AgentId(texts["id"]), name=texts["name"], slug=texts["slug"], role=texts["role"]
    )


def read_context(value: object) -> Context | None:
    """Read a delivery context; None when the backend knows no such row.

    Raises:
        ContextMalformed: It is not of the agreed form.
    """
    if value is None:
        return None
    try:
        return _WireContext.model_validate(value).read()
    except ValidationError as error:
        raise ContextMalformed(f"the delivery context is malformed: {describe(error)}") from error


def read_members(value: object) -> tuple[Member, ...]:
    """Read the agents of an account; one that cannot be read is left out.

    Raises:
        BackendGarbled: It is not a list, or nobody in it can be read.
    """
    if not isinstance(value, list):
        raise BackendGarbled("the list of agents is not a list")
    members, wrong = [], ""
    for one in value:
        try:
            members.append(_WireMember.model_validate(one).member())
        except ValidationError as error:
            wrong = describe(error)
            _log.warning("an agent cannot be read: %s", wrong, extra={"action": "sync"})
    if wrong and not members:
        raise BackendGarbled(f"the list of agents is malformed: {wrong}")
    return tuple(members)
