"""All functions that the backend knows, by their path."""

from typing import Final, NoReturn

from dispatcher.sandbox.backend import (
    agents,
    attachments,
    context,
    documents,
    messages,
    notifications,
    reads,
    responses,
    runtime_status,
    skills,
    task_status,
    task_update,
    tasks,
    upgrades,
)
from dispatcher.sandbox.backend.actions import Action
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.store import Doc, Store
from dispatcher.sandbox.backend.validators import ACCOUNT, STRING, ObjectOf

SERVICE: Final = "service/actions:"
OTHER_KINDS: Final = {"messages:create": "Mutation", "agents:getBySessionKey": "Query"}
"""Public functions of the web application, which are no actions."""


def _ask_for_person(_store: Store, _args: Doc) -> NoReturn:
    """G: only a signed-in person may do this, and a service token is no person."""
    refuse("Unauthorized: Must be authenticated")


_ADMINISTRATION: Final = {
    "provisionServiceToken": Action(
        ObjectOf({"accountId": ACCOUNT}), _ask_for_person, checked=False
    ),
    "syncServiceToken": Action(
        ObjectOf({"accountId": ACCOUNT, "serviceToken": STRING}), _ask_for_person, checked=False
    ),
}

ACTIONS: Final[dict[str, Action]] = {
    **notifications.ACTIONS,
    **context.ACTIONS,
    **messages.ACTIONS,
    **runtime_status.ACTIONS,
    **upgrades.ACTIONS,
    **agents.ACTIONS,
    **task_status.ACTIONS,
    **task_update.ACTIONS,
    **tasks.ACTIONS,
    **reads.ACTIONS,
    **skills.ACTIONS,
    **documents.ACTIONS,
    **responses.ACTIONS,
    **attachments.ACTIONS,
    **_ADMINISTRATION,
}
"""The service actions by name."""
