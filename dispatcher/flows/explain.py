"""Tells the whole story of a notification, a delivery or a dead letter."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.domain.errors import BackendError
from dispatcher.domain.ids import NOTHING, AgentId, NotificationId, is_document_id
from dispatcher.domain.redact import short_error
from dispatcher.domain.story import Record
from dispatcher.domain.world import World
from dispatcher.ports import Backend, Mailboxes, Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of an id.

    Attributes:
        records: The deliveries that it means, in this store.
        backend: What the backend says of the notification, in a sentence.
        world: What deliveries wait for outside.
    """

    name: str
    records: tuple[Record, ...]
    backend: str
    world: World


def explain(
    name: str,
    *,
    records: Records,
    mailboxes: Mailboxes,
    backend: Backend,
    agents: Sequence[AgentId] = (),
) -> Explanation:
    """Look an id up in the store and at the backend.

    Args:
        name: Of a notification, a message, a delivery, a conversation or a task.
        records: The store, for people who ask.
        mailboxes: The store's view of the world.
        backend: Asked once; when it is away the explanation says so.
        agents: Whose conversations about a task are looked at.

    Raises:
        StoreError: Redis is away.
    """
    found = records.find(name, agents=agents)
    rows = {record.entry.notification for record in found if record.entry}
    row = min(rows) if len(rows) == 1 else NotificationId(name.partition(":")[0])
    said = _ask_backend(row, backend) if len(rows) <= 1 and is_document_id(row) else ""
    return Explanation(name=name, records=found, backend=said, world=mailboxes.world())


def _ask_backend(row: NotificationId, backend: Backend) -> str:
    try:
        context = backend.fetch_context(row)
    except BackendError as error:
        return f"Convex could not be asked: {short_error(str(error))}"
    if context is None:
        return "Convex does not know a notification of this id."
    found = context.notification
    state = "marked delivered" if found.is_delivered else "not delivered yet"
    return (
        f"Convex has it as {found.kind_name} for {context.agent.slug if context.agent else '?'}, "
        f"message {found.message or NOTHING}, {state}."
    )
