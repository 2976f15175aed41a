"""What tools do at the backend, remembered."""

from collections.abc import Mapping
from typing import Any

from dispatcher.domain.errors import BackendError
from dispatcher.domain.ids import AgentId, TaskId
from tests.fakes.diary import Diary


class FakeActions:
    """See ``dispatcher.ports.Actions``.

    Attributes:
        failures: Errors for the next calls, None for one that succeeds; used up one by one.
        happens: Calls that fail have their effect all the same.
        tasks: The fields of the tasks that were created.
        written: The fields of the documents that were written.
        statuses: The statuses that were set.
    """

    def __init__(self, diary: Diary) -> None:
        self._diary = diary
        self.failures: list[BackendError | None] = []
        self.happens = False
        self.tasks: list[Mapping[str, Any]] = []
        self.written: list[Mapping[str, Any]] = []
        self.statuses: list[str] = []

    def set_status(
        self, *, agent: AgentId, task: TaskId, status: str, blocked_reason: str | None
    ) -> str:
        self._do("set_status", lambda: self.statuses.append(status))
        return status

    def create_task(self, *, agent: AgentId, fields: Mapping[str, Any]) -> TaskId:
        self._do("create_task", lambda: self.tasks.append(fields))
        return TaskId(f"task{len(self.tasks)}")

    def put_document(self, *, agent: AgentId, fields: Mapping[str, Any]) -> str:
        self._do("put_document", lambda: self.written.append(fields))
        return f"document{len(self.written)}"

    def documents(self, *, task: TaskId | None) -> tuple[Mapping[str, Any], ...]:
        return tuple({"_id": f"document{n}", **one} for n, one in enumerate(self.written, 1))

    def _do(self, name: str, effect: Any) -> None:
        self._diary.note(name)
        failure = self.failures.pop(0) if self.failures else None
        if failure is None or self.happens:
            effect()
        if failure is not None:
            raise failure
