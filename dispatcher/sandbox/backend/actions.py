"""What an action is: the arguments it takes and the function that runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatcher.domain.text import utf16_units
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.store import Doc, Store
from dispatcher.sandbox.backend.validators import ACCOUNT, STRING, ObjectOf, Validator

SUCCESS: Final[Doc] = {"success": True}


@dataclass(frozen=True, slots=True)
class Action:
    """One service action.

    Attributes:
        takes: Checks the whole argument object.
        run: Runs with checked arguments and checked credentials.
        checked: Whether the service token is looked at; not so for what only people may call.
    """

    takes: ObjectOf
    run: Callable[[Store, Doc], object]
    checked: bool = True


def action(run: Callable[[Store, Doc], object], **fields: Validator) -> Action:
    """Make an action from its function and the arguments beside the credentials."""
    return Action(ObjectOf({"accountId": ACCOUNT, "serviceToken": STRING, **fields}), run)


def at_most(text: str | None, units: int, complaint: str) -> None:
    """Throw when a text is too long."""
    if text is not None and utf16_units(text) > units:
        refuse(complaint)


def taken(limit: float) -> int:
    """Turn a limit into a number of rows as the backend's bounded read does."""
    if not (limit >= 0 and float(limit).is_integer()):
        refuse("Arg 1 `n` to `take` must be a non-negative integer")
    return int(limit)
