"""What heartbeats look at, as calls of the backend's service actions."""

from typing import Final

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.adapters.wire_tasks import read_tasks, read_thread
from dispatcher.domain.heartbeat import LEAD_LOOKS_AT, TrackedTask
from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.domain.notification import Message

_MINE: Final = 12
_OF_ALL: Final = 200


class ConvexTasks:
    """See ``dispatcher.ports.Tasks``."""

    def __init__(self, backend: ConvexBackend) -> None:
        self._call = backend.call

    def assigned_tasks(self, agent: AgentId) -> tuple[TrackedTask, ...]:
        """See ``Tasks.assigned_tasks``."""
        return read_tasks(
            self._call("listAssignedTasksForAgent", agentId=agent, includeDone=False, limit=_MINE)
        )

    def tracked_tasks(self) -> tuple[TrackedTask, ...]:
        """See ``Tasks.tracked_tasks``."""
        return read_tasks(
            self._call(
                "listTasksForOrchestratorHeartbeat", statuses=list(LEAD_LOOKS_AT), limit=_OF_ALL
            )
        )

    def newest_messages(self, agent: AgentId, task: TaskId, *, limit: int) -> tuple[Message, ...]:
        """See ``Tasks.newest_messages``."""
        value = self._call(
            "loadTaskDetailsForAgentTool", agentId=agent, taskId=task, messageLimit=limit
        )
        return read_thread(value)

    def report_heartbeat(self, agent: AgentId, *, task: TaskId | None) -> None:
        """See ``Tasks.report_heartbeat``."""
        extra = {} if task is None else {"currentTaskId": task}
        self._call("updateAgentHeartbeat", agentId=agent, status="online", **extra)
