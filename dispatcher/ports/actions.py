"""What agents' tools do at the backend."""

from collections.abc import Mapping
from typing import Any, Protocol

from dispatcher.domain.ids import (
    AgentId,
    TaskId,
)


class Actions(Protocol):
    """What an agent's tools do at the backend. Every method may raise any ``BackendError``."""

    def set_status(
        self, *, agent: AgentId, task: TaskId, status: str, blocked_reason: str | None
    ) -> str:
        """Move a task to a status; return the one that it has now. Repeatable."""
        ...

    def create_task(self, *, agent: AgentId, fields: Mapping[str, Any]) -> TaskId:
        """Create a task. Every call creates one: never repeat it blindly."""
        ...

    def put_document(self, *, agent: AgentId, fields: Mapping[str, Any]) -> str:
        """Create a document, or change the one whose id is given; only the latter is repeatable."""
        ...

    def documents(self, *, task: TaskId | None) -> tuple[Mapping[str, Any], ...]:
        """List the newest documents of a task, or of the account, at most 100."""
        ...
