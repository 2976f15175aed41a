"""What a heartbeat looks at, and how it is reported."""

from typing import Protocol

from dispatcher.domain.heartbeat import TrackedTask
from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.domain.notification import Message


class Tasks(Protocol):
    """Tasks as agents work on them. Every method may raise any ``BackendError``."""

    def assigned_tasks(self, agent: AgentId) -> tuple[TrackedTask, ...]:
        """List the tasks of an agent that are not done."""
        ...

    def tracked_tasks(self) -> tuple[TrackedTask, ...]:
        """List what the lead keeps an eye on."""
        ...

    def newest_messages(self, agent: AgentId, task: TaskId, *, limit: int) -> tuple[Message, ...]:
        """Read the newest messages of a thread, oldest first."""
        ...

    def report_heartbeat(self, agent: AgentId, *, task: TaskId | None) -> None:
        """Say that an agent is alive, and what it works on; None for nothing. Repeatable."""
        ...
