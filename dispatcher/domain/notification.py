"""What the backend told us: notifications and the context of a delivery, frozen."""

from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.domain.ids import AgentId, MessageId, NotificationId, SessionKey, TaskId

ORCHESTRATOR_CHAT_LABEL = "system:orchestrator-chat"


class Kind(StrEnum):
    """The types of notification that concern agents; an unknown one is ``OTHER``.

    ``HEARTBEAT`` is ours alone: no notification has it.
    """

    MENTION = "mention"
    ASSIGNMENT = "assignment"
    RESPONSE_REQUEST = "response_request"
    THREAD_UPDATE = "thread_update"
    STATUS_CHANGE = "status_change"
    HEARTBEAT = "heartbeat"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> "Kind":  # noqa: ARG003 - the enum's own signature
        return cls.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One row: an agent should be told something.

    Attributes:
        kind: Its type, ``OTHER`` when we do not know it; ``kind_name`` is the backend's word.
        recipient_is_agent: False only when the row says that a person is meant.
        created_at_ms: Moves when a thread update is replaced by a newer message.
        creation_time_ms: Orders rows of one transaction; has a fraction.
        is_delivered: The row is marked and will not be listed again.
    """

    notification_id: NotificationId
    kind: Kind
    kind_name: str
    recipient: AgentId
    recipient_is_agent: bool
    task: TaskId | None
    message: MessageId | None
    title: str
    body: str
    created_at_ms: int
    creation_time_ms: float
    is_delivered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A member of the crew, as far as a turn needs to know it."""

    agent_id: AgentId
    name: str
    slug: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A card on the board. ``status`` is the backend's word; unknown ones are kept."""

    task_id: TaskId
    title: str
    status: str
    description: str
    labels: tuple[str, ...]
    assigned_agents: tuple[AgentId, ...]

    @property
    def is_orchestrator_chat(self) -> bool:
        """Say whether this task is the private thread of the orchestrator."""
        return ORCHESTRATOR_CHAT_LABEL in self.labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a thread. ``author_type`` is ``user``, ``agent`` or something new."""

    message_id: MessageId
    author_type: str
    author_id: str
    author_name: str | None
    content: str
    created_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What an agent may do, resolved by the backend; these are its built-in defaults."""

    can_create_tasks: bool = False
    can_modify_task_status: bool = True
    can_create_documents: bool = True
    can_mention_agents: bool = True
    can_review_tasks: bool = False
    can_mark_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member of the account. The backend knows an address too; it never gets in here."""

    user_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TopTask:
    """One task of the overview; ``assignees`` are ids of agents."""

    task_id: TaskId
    title: str
    priority: int
    assignees: tuple[AgentId, ...]
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the orchestrator's chat is told of the board.

    Attributes:
        totals: ``(status, count)``, sampled by the backend.
        groups: ``(status, its most urgent tasks)``.
    """

    totals: tuple[tuple[str, int], ...]
    groups: tuple[tuple[str, tuple[TopTask, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that is known about one notification at the moment of its turn.

    Attributes:
        agent: None when the recipient was deleted.
        task: None when the row names no task, or its task is gone.
        message: The message that caused the row, or None.
        thread: The newest messages of the task, oldest first, each cut by the backend.
        source_kind: Type of the row that caused ``message``, None for people's messages.
        session_key: Where the agent's conversation lives; None without an agent.
        crew: All agents of the account, the recipient included.
        primary_user: Whom the agent turns to when it is stuck, or None.
        repository: The account's document about its repository, empty without one.
        briefing: The account's briefing; only in the orchestrator's chat.
        overview: What is on the board; only in the orchestrator's chat.
    """

    notification: Notification
    agent: Agent | None
    task: Task | None
    message: Message | None
    thread: tuple[Message, ...] = ()
    source_kind: Kind | None = None
    orchestrator: AgentId | None = None
    flags: Flags = field(default_factory=Flags)
    session_key: SessionKey | None = None
    crew: tuple[Agent, ...] = ()
    primary_user: Person | None = None
    repository: str = ""
    briefing: str = ""
    overview: Overview | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One look at the undelivered rows.

    Attributes:
        rows: In the backend's order, oldest first.
        malformed: ``(id or position, what is wrong)`` of rows that could not be read.
        listed: How many rows the backend sent.
    """

    rows: tuple[Notification, ...]
    malformed: tuple[tuple[str, str], ...]
    listed: int
