"""What agents' tools do, as calls of the backend's service actions."""

from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.adapters.wire import read_member
from dispatcher.adapters.wire_context import read_members
from dispatcher.domain.errors import BackendGarbled
from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.domain.notification import Agent
from dispatcher.ports import Facts


class ConvexActions:
    """See ``dispatcher.ports.Actions``."""

    def __init__(self, backend: ConvexBackend) -> None:
        self._call = backend.call

    def set_status(
        self, *, agent: AgentId, task: TaskId, status: str, blocked_reason: str | None
    ) -> Facts:
        """See ``Actions.set_status``."""
        extra = {} if blocked_reason is None else {"blockedReason": blocked_reason}
        value = self._call(
            "updateTaskStatusFromAgent", agentId=agent, taskId=task, status=status, **extra
        )
        read_member(value, "status")
        return _facts("updateTaskStatusFromAgent", value)

    def update_task(self, *, agent: AgentId, task: TaskId, fields: Facts) -> tuple[str, ...]:
        """See ``Actions.update_task``."""
        value = self._call("updateTaskFromAgent", agentId=agent, taskId=task, **fields)
        changed = _facts("updateTaskFromAgent", value).get("changedFields")
        return tuple(map(str, changed)) if isinstance(changed, list) else ()

    def create_task(self, *, agent: AgentId, fields: Facts) -> TaskId:
        """See ``Actions.create_task``."""
        value = self._call("createTaskFromAgent", agentId=agent, **fields)
        return TaskId(read_member(value, "taskId"))

    def assign(self, *, agent: AgentId, task: TaskId, assignees: Sequence[AgentId]) -> None:
        """See ``Actions.assign``."""
        self._call(
            "assignTaskFromAgent", agentId=agent, taskId=task, assignedAgentIds=list(assignees)
        )

    def archive_task(self, *, agent: AgentId, task: TaskId, reason: str) -> None:
        """See ``Actions.archive_task``."""
        self._call("deleteTaskFromAgent", agentId=agent, taskId=task, reason=reason)

    def link_task(self, *, agent: AgentId, task: TaskId, number: float) -> None:
        """See ``Actions.link_task``."""
        self._call("linkTaskToPrForAgentTool", agentId=agent, taskId=task, prNumber=number)

    def say_in_task(self, *, agent: AgentId, task: TaskId, content: str) -> str:
        """See ``Actions.say_in_task``."""
        value = self._call(
            "createTaskMessageForAgentTool", agentId=agent, taskId=task, content=content
        )
        return read_member(value, "messageId")

    def put_document(self, *, agent: AgentId, fields: Facts) -> str:
        """See ``Actions.put_document``."""
        value = self._call("createDocumentFromAgent", agentId=agent, **fields)
        return read_member(value, "documentId")

    def request_responses(
        self, *, agent: AgentId, task: TaskId, slugs: Sequence[str], message: str
    ) -> tuple[str, ...]:
        """See ``Actions.request_responses``."""
        value = self._call(
            "createResponseRequestNotifications",
            requesterAgentId=agent,
            taskId=task,
            recipientSlugs=list(slugs),
            message=message,
        )
        made = _facts("createResponseRequestNotifications", value).get("notificationIds")
        return tuple(map(str, made)) if isinstance(made, list) else ()

    def documents(self, *, fields: Facts) -> tuple[Facts, ...]:
        """See ``Actions.documents``."""
        value = self._call("listDocumentsForAgent", **fields)
        return _rows(
            "listDocumentsForAgent", _facts("listDocumentsForAgent", value).get("documents")
        )

    def skills(self, *, agent: AgentId, of: AgentId | None) -> tuple[Facts, ...]:
        """See ``Actions.skills``."""
        extra = {} if of is None else {"queryAgentId": of}
        return self._list("getAgentSkillsForTool", agent, extra)

    def load_task(self, *, agent: AgentId, task: TaskId, fields: Facts) -> Facts:
        """See ``Actions.load_task``."""
        action = "loadTaskDetailsForAgentTool"
        return _facts(action, self._call(action, agentId=agent, taskId=task, **fields))

    def history(self, *, agent: AgentId, task: TaskId, fields: Facts) -> Facts:
        """See ``Actions.history``."""
        action = "getTaskHistoryForAgentTool"
        return _facts(action, self._call(action, agentId=agent, taskId=task, **fields))

    def tasks(self, *, agent: AgentId, fields: Facts) -> tuple[Facts, ...]:
        """See ``Actions.tasks``."""
        return self._list("listTasksForAgentTool", agent, fields)

    def task(self, *, agent: AgentId, task: TaskId) -> Facts | None:
        """See ``Actions.task``."""
        value = self._call("getTaskForAgentTool", agentId=agent, taskId=task)
        return None if value is None else _facts("getTaskForAgentTool", value)

    def thread(self, *, agent: AgentId, task: TaskId, fields: Facts) -> tuple[Facts, ...]:
        """See ``Actions.thread``."""
        return self._list("listTaskThreadForAgentTool", agent, {"taskId": task, **fields})

    def search(self, *, agent: AgentId, fields: Facts) -> tuple[Facts, ...]:
        """See ``Actions.search``."""
        return self._list("searchTasksForAgentTool", agent, fields)

    def agents(self) -> Sequence[Agent]:
        """See ``Directory.agents``."""
        return tuple(one.agent for one in read_members(self._call("listAgents")))

    def _list(self, action: str, agent: AgentId, fields: Facts) -> tuple[Facts, ...]:
        return _rows(action, self._call(action, agentId=agent, **fields))


def _facts(action: str, value: Any) -> Facts:  # noqa: ANN401 - JSON
    if not isinstance(value, Mapping):
        raise BackendGarbled(f"{action}: the answer is not an object")
    return value


def _rows(action: str, value: Any) -> tuple[Facts, ...]:  # noqa: ANN401 - JSON
    if not isinstance(value, list):
        raise BackendGarbled(f"{action}: the answer is not a list")
    return tuple(one for one in value if isinstance(one, Mapping))
