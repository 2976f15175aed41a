"""The backend's JSON, read into the domain; foreign names and units stop here.

Unknown members are ignored, unknown enum members are kept or become ``OTHER``, numbers come as
floats and become integers where they count milliseconds.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dispatcher.domain.errors import BackendGarbled
from dispatcher.domain.ids import AgentId, MessageId, NotificationId, TaskId
from dispatcher.domain.notification import (
    Kind,
    Notification,
    Page,
)
from dispatcher.domain.upgrade import Upgrade, Versions


def as_text(value: object) -> object:
    """Read a missing text as an empty one."""
    return "" if value is None else value


def as_list(value: object) -> object:
    """Read a missing list as an empty one."""
    return [] if value is None else value


def as_objects(value: object) -> list[object]:
    """Keep what is an object; a missing list is empty."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _sendable(text: str) -> str:
    """Refuse half a character, which cannot be written as UTF-8."""
    text.encode()
    return text


Text = Annotated[str, BeforeValidator(as_text)]
"""A text that may be missing or null: then it is empty."""

Sendable = Annotated[str, AfterValidator(_sendable)]
"""A text that goes on to Redis and back to the backend."""

Id = Annotated[Sendable, Field(min_length=1)]

Millis = Annotated[float, Field(ge=0, lt=253_402_300_800_000, allow_inf_nan=False)]
"""Unix milliseconds before the year 10000, which is as far as dates go."""


class Wire(BaseModel):
    """An object of the backend: what we do not know of it is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class WireNotification(Wire):
    """A row of the backend's notifications."""

    id_: Id = Field(alias="_id")
    creation_time: Millis = Field(alias="_creationTime", default=0)
    type_: Text = Field(alias="type", default="")
    recipient_id: Id = Field(alias="recipientId")
    recipient_type: str | None = Field(alias="recipientType", default=None)
    task_id: Sendable | None = Field(alias="taskId", default=None)
    message_id: Sendable | None = Field(alias="messageId", default=None)
    title: Text = ""
    body: Text = ""
    created_at: Millis = Field(alias="createdAt")
    delivered_at: float | None = Field(alias="deliveredAt", default=None)

    def read(self) -> Notification:
        """Read it into the domain."""
        return Notification(
            notification_id=NotificationId(self.id_),
            kind=Kind(self.type_) if self.type_ != Kind.HEARTBEAT else Kind.OTHER,
            kind_name=self.type_,
            recipient=AgentId(self.recipient_id),
            recipient_is_agent=self.recipient_type in {None, "agent"},
            task=TaskId(self.task_id) if self.task_id else None,
            message=MessageId(self.message_id) if self.message_id else None,
            title=self.title,
            body=self.body,
            created_at_ms=int(self.created_at),
            creation_time_ms=self.creation_time or self.created_at,
            is_delivered=self.delivered_at is not None,
        )


class _WireUpgrade(Wire):
    openclaw: Text = Field(alias="targetOpenclawVersion", default="")
    runtime: Text = Field(alias="targetRuntimeVersion", default="")
    initiated_at: Millis = Field(alias="initiatedAt", default=0)
    strategy: Text = ""

    def read(self) -> Upgrade:
        return Upgrade(
            target=Versions(openclaw=self.openclaw, runtime=self.runtime),
            initiated_ms=int(self.initiated_at),
            strategy=self.strategy,
        )


def read_upgrade(value: object) -> Upgrade | None:
    """Read a requested upgrade; None when there is none.

    Raises:
        BackendGarbled: It is not of the agreed form.
    """
    if value is None:
        return None
    try:
        return _WireUpgrade.model_validate(value).read()
    except ValidationError as error:
        raise BackendGarbled(f"the requested upgrade is malformed: {describe(error)}") from error


def read_page(value: object) -> Page:
    """Read a list of rows; a malformed one is named, and the others go on.

    Raises:
        BackendGarbled: It is not a list.
    """
    if not isinstance(value, list):
        raise BackendGarbled("the list of notifications is not a list")
    rows: list[Notification] = []
    malformed: list[tuple[str, str]] = []
    for position, row in enumerate(value):
        try:
            rows.append(WireNotification.model_validate(row).read())
        except ValidationError as error:
            given = row.get("_id") if isinstance(row, dict) else None
            name = given if isinstance(given, str) and given else f"row {position}"
            malformed.append((name, describe(error)))
    return Page(rows=tuple(rows), malformed=tuple(malformed), listed=len(value))


def read_member(value: object, name: str) -> str:
    """Read one text member of an answer.

    Raises:
        BackendGarbled: It is not there.
    """
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, str) or not member:
        raise BackendGarbled(f"the answer has no {name}")
    return member


def describe(error: ValidationError) -> str:
    """Name the members that are wrong, without their values."""
    wrong = error.errors()[:3]
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in wrong)
