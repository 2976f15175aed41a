"""Tasks and threads as heartbeats look at them, read into the domain; see ``wire``."""

from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from dispatcher.adapters.wire import Millis, Text, Wire, as_list, describe
from dispatcher.adapters.wire_context import WireThreadItem
from dispatcher.domain.errors import BackendGarbled
from dispatcher.domain.heartbeat import TrackedTask
from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.domain.notification import Message


class _WireTracked(Wire):
    id_: str = Field(alias="_id", min_length=1)
    title: Text = ""
    status: Text = ""
    description: Text = ""
    agents: Annotated[list[str], BeforeValidator(as_list)] = Field(
        alias="assignedAgentIds", default=[]
    )
    created_at: Millis = Field(alias="createdAt", default=0)
    updated_at: Millis = Field(alias="updatedAt", default=0)

    def read(self) -> TrackedTask:
        return TrackedTask(
            task_id=TaskId(self.id_),
            title=self.title,
            status=self.status,
            description=self.description,
            assignees=tuple(AgentId(agent) for agent in self.agents),
            created_ms=int(self.created_at),
            updated_ms=int(self.updated_at),
        )


class _WireLoaded(Wire):
    thread: Annotated[list[WireThreadItem], BeforeValidator(as_list)] = Field(default=[])


def read_tasks(value: object) -> tuple[TrackedTask, ...]:
    """Read a list of tasks.

    Raises:
        BackendGarbled: It is none.
    """
    try:
        return tuple(one.read() for one in TypeAdapter(list[_WireTracked]).validate_python(value))
    except ValidationError as error:
        raise BackendGarbled(f"the list of tasks is malformed: {describe(error)}") from error


def read_thread(value: object) -> tuple[Message, ...]:
    """Read the thread of a loaded task.

    Raises:
        BackendGarbled: It is none.
    """
    try:
        return tuple(item.read() for item in _WireLoaded.model_validate(value).thread)
    except ValidationError as error:
        raise BackendGarbled(f"the thread is malformed: {describe(error)}") from error
