"""What agents' tools do, as calls of the backend's service actions."""

from collections.abc import Mapping
from typing import Any, Final

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.adapters.wire import read_member
from dispatcher.domain.errors import BackendGarbled
from dispatcher.domain.ids import AgentId, TaskId

_MOST_DOCUMENTS: Final = 100


class ConvexActions:
    """See ``dispatcher.ports.Actions``."""

    def __init__(self, backend: ConvexBackend) -> None:
        self._call = backend.call

    def set_status(
        self, *, agent: AgentId, task: TaskId, status: str, blocked_reason: str | None
    ) -> str:
        """See ``Actions.set_status``."""
        extra = {} if blocked_reason is None else {"blockedReason": blocked_reason}
        value = self._call(
            "updateTaskStatusFromAgent", agentId=agent, taskId=task, status=status, **extra
        )
        return read_member(value, "status")

    def create_task(self, *, agent: AgentId, fields: Mapping[str, Any]) -> TaskId:
        """See ``Actions.create_task``."""
        value = self._call("createTaskFromAgent", agentId=agent, **fields)
        return TaskId(read_member(value, "taskId"))

    def put_document(self, *, agent: AgentId, fields: Mapping[str, Any]) -> str:
        """See ``Actions.put_document``."""
        return read_member(
            self._call("createDocumentFromAgent", agentId=agent, **fields), "documentId"
        )

    def documents(self, *, task: TaskId | None) -> tuple[Mapping[str, Any], ...]:
        """See ``Actions.documents``."""
        extra = {} if task is None else {"taskId": task}
        value = self._call("listDocumentsForAgent", limit=_MOST_DOCUMENTS, **extra)
        found = value.get("documents") if isinstance(value, dict) else None
        if not isinstance(found, list):
            raise BackendGarbled("listDocumentsForAgent: the answer has no documents")
        return tuple(one for one in found if isinstance(one, dict))
