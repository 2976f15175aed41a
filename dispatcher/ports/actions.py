"""What agents' tools do at the backend."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dispatcher.domain.ids import AgentId, TaskId

Facts = Mapping[str, Any]
"""Members of the backend's JSON, handed on to an agent as they are."""


class Actions(Protocol):
    """Service actions by and for one agent. Every method may raise any ``BackendError``.

    ``fields`` are arguments of the action under the backend's own names.
    """

    def set_status(
        self, *, agent: AgentId, task: TaskId, status: str, blocked_reason: str | None
    ) -> Facts:
        """Move a task to a status; return what came of it: its ``status`` now. Repeatable."""
        ...

    def update_task(self, *, agent: AgentId, task: TaskId, fields: Facts) -> tuple[str, ...]:
        """Change fields of a task; return the names of those that were changed. Repeatable."""
        ...

    def create_task(self, *, agent: AgentId, fields: Facts) -> TaskId:
        """Create a task. Every call creates one: never repeat it blindly."""
        ...

    def assign(self, *, agent: AgentId, task: TaskId, assignees: Sequence[AgentId]) -> None:
        """Add assignees to a task. Repeatable."""
        ...

    def archive_task(self, *, agent: AgentId, task: TaskId, reason: str) -> None:
        """Archive a task. Repeatable."""
        ...

    def link_task(self, *, agent: AgentId, task: TaskId, number: float) -> None:
        """Link a task to a pull request. Repeatable."""
        ...

    def say_in_task(self, *, agent: AgentId, task: TaskId, content: str) -> str:
        """Post into any thread; return the message's id. Every call posts."""
        ...

    def put_document(self, *, agent: AgentId, fields: Facts) -> str:
        """Create a document, or change the one whose id is given; only the latter is repeatable."""
        ...

    def request_responses(
        self, *, agent: AgentId, task: TaskId, slugs: Sequence[str], message: str
    ) -> tuple[str, ...]:
        """Ask agents for a response; return ids of the new notifications, perhaps none.

        Repeatable: whoever has an open request is passed over.
        """
        ...

    def documents(self, *, fields: Facts) -> tuple[Facts, ...]:
        """List documents, the newest first."""
        ...

    def skills(self, *, agent: AgentId, of: AgentId | None) -> tuple[Facts, ...]:
        """Tell the skills of one agent, or of all."""
        ...

    def load_task(self, *, agent: AgentId, task: TaskId, fields: Facts) -> Facts:
        """Load a ``task`` with its ``thread``."""
        ...

    def history(self, *, agent: AgentId, task: TaskId, fields: Facts) -> Facts:
        """Load a ``task``, its ``messages`` and ``activities``."""
        ...

    def tasks(self, *, agent: AgentId, fields: Facts) -> tuple[Facts, ...]:
        """List tasks, for the orchestrator."""
        ...

    def task(self, *, agent: AgentId, task: TaskId) -> Facts | None:
        """Get one task, for the orchestrator."""
        ...

    def thread(self, *, agent: AgentId, task: TaskId, fields: Facts) -> tuple[Facts, ...]:
        """Read the thread of a task, for the orchestrator."""
        ...

    def search(self, *, agent: AgentId, fields: Facts) -> tuple[Facts, ...]:
        """Find tasks by a text, for the orchestrator."""
        ...
