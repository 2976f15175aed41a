"""What tools do at the backend, remembered."""

from collections.abc import Sequence
from typing import Any

from dispatcher.domain.errors import BackendError
from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.ports import Facts
from tests.fakes.diary import Diary


class FakeActions:
    """See ``dispatcher.ports.Actions``.

    Attributes:
        failures: Errors for the next calls, None for one that succeeds; used up one by one.
        happens: Calls that fail have their effect all the same.
        created: The fields of the tasks that were created.
        written: The fields of the documents that were written.
        statuses: The statuses that were set.
        said: Messages that were posted into other threads.
        calls: All other calls, ``(name, arguments…)``.
    """

    def __init__(self, diary: Diary) -> None:
        self._diary = diary
        self.failures: list[BackendError | None] = []
        self.happens = False
        self.created: list[Facts] = []
        self.written: list[Facts] = []
        self.statuses: list[str] = []
        self.said: list[dict[str, Any]] = []
        self.calls: list[tuple[Any, ...]] = []

    def set_status(
        self, *, agent: AgentId, task: TaskId, status: str, blocked_reason: str | None
    ) -> Facts:
        def effect() -> None:
            self.statuses.append(status)
            self.calls.append(("set_status", task, blocked_reason))

        self._do("set_status", effect)
        return {"success": True, "taskId": task, "requestedStatus": status, "status": status}

    def create_task(self, *, agent: AgentId, fields: Facts) -> TaskId:
        self._do("create_task", lambda: self.created.append(fields))
        return TaskId(f"task{len(self.created)}")

    def put_document(self, *, agent: AgentId, fields: Facts) -> str:
        self._do("put_document", lambda: self.written.append(fields))
        return f"document{len(self.written)}"

    def documents(self, *, fields: Facts) -> tuple[Facts, ...]:
        self.calls.append(("documents", fields))
        return tuple({"_id": f"document{n}", **one} for n, one in enumerate(self.written, 1))

    def update_task(self, *, agent: AgentId, task: TaskId, fields: Facts) -> tuple[str, ...]:
        self._note("update_task", task, fields)
        return tuple(fields)

    def assign(self, *, agent: AgentId, task: TaskId, assignees: Sequence[AgentId]) -> None:
        self._note("assign", task, list(assignees))

    def archive_task(self, *, agent: AgentId, task: TaskId, reason: str) -> None:
        self._note("archive_task", task, reason)

    def link_task(self, *, agent: AgentId, task: TaskId, number: float) -> None:
        self._note("link_task", task, number)

    def say_in_task(self, *, agent: AgentId, task: TaskId, content: str) -> str:
        def effect() -> None:
            self.calls.append(("say_in_task", task, content))
            self.said.append({"messageId": "m1", "authorId": agent, "content": content})

        self._do("say_in_task", effect)
        return "m1"

    def request_responses(
        self, *, agent: AgentId, task: TaskId, slugs: Sequence[str], message: str
    ) -> tuple[str, ...]:
        self._note("request_responses", task, list(slugs), message)
        return tuple(f"row of {slug}" for slug in slugs)

    def skills(self, *, agent: AgentId, of: AgentId | None) -> tuple[Facts, ...]:
        self._note("skills", of)
        return ({"agentId": "engineer", "skillIds": []},)

    def load_task(self, *, agent: AgentId, task: TaskId, fields: Facts) -> Facts:
        self._note("load_task", task, fields)
        return {"task": {"_id": task}, "thread": []}

    def history(self, *, agent: AgentId, task: TaskId, fields: Facts) -> Facts:
        self._note("history", task, fields)
        return {"task": {"_id": task}, "messages": [], "activities": [], "meta": {}}

    def tasks(self, *, agent: AgentId, fields: Facts) -> tuple[Facts, ...]:
        self._note("tasks", fields)
        return ({"_id": "t1"},)

    def task(self, *, agent: AgentId, task: TaskId) -> Facts | None:
        self._note("task", task)
        return None

    def thread(self, *, agent: AgentId, task: TaskId, fields: Facts) -> tuple[Facts, ...]:
        self._note("thread", task, fields)
        return tuple(self.said)

    def search(self, *, agent: AgentId, fields: Facts) -> tuple[Facts, ...]:
        self._note("search", fields)
        return ({"_id": "t1", "title": fields["query"]},)

    def _note(self, name: str, *arguments: Any) -> None:
        self._do(name, lambda: self.calls.append((name, *arguments)))

    def _do(self, name: str, effect: Any) -> None:
        self._diary.note(name)
        failure = self.failures.pop(0) if self.failures else None
        if failure is None or self.happens:
            effect()
        if failure is not None:
            raise failure
