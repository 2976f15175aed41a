"""Running one function call: find it, check its arguments, check the token, run it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.sandbox.backend.auth import check_token
from dispatcher.sandbox.backend.errors import FunctionError
from dispatcher.sandbox.backend.registry import ACTIONS, OTHER_KINDS, SERVICE
from dispatcher.sandbox.backend.store import Doc, Store
from dispatcher.sandbox.backend.values import decode, show


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came over the wire.

    Attributes:
        path: Module and function, for example ``service/actions:listAgents``.
        args: The positional arguments; exactly one object is right.
        request_id: Appears in error texts.
    """

    path: str
    args: Sequence[object]
    request_id: str

    @property
    def action(self) -> str:
        """Return the bare name of the function."""
        return self.path.rpartition(":")[2]

    @property
    def account(self) -> str:
        """Return the account that the arguments name, unchecked; empty when they name none."""
        first = self.args[0] if self.args else None
        account = first.get("accountId") if isinstance(first, dict) else None
        return account if isinstance(account, str) else ""


def run(store: Store, call: Call) -> object:
    """Run a call to its end.

    Raises:
        FunctionError: The function threw, or could not be started.
    """
    module, _, name = call.path.removesuffix(".js").partition(":")
    path = f"{module.removesuffix('.js')}:{name}"
    action = ACTIONS.get(path.removeprefix(SERVICE)) if path.startswith(SERVICE) else None
    if action is None:
        raise _unknown(call.path, path)
    args = _single_object(call, name)
    action.takes.check(args, "")
    if action.checked:
        check_token(store, args["accountId"], args["serviceToken"])
    return action.run(store, args)


def _unknown(asked: str, path: str) -> FunctionError:
    kind = OTHER_KINDS.get(path)
    if kind is None:
        return FunctionError(f"Could not find public function for '{asked}'.", levels=0)
    name = path.replace(":", ".js:")
    text = f"Trying to execute {name} as Action, but it is defined as {kind}."
    return FunctionError(text, levels=0)


def _single_object(call: Call, name: str) -> Doc:
    if len(call.args) != 1:
        text = (
            "ArgumentValidationError: Expected to receive a single object as the function's "
            f"argument. Instead received {len(call.args)} arguments: {show(list(call.args))}"
        )
        raise FunctionError(text, levels=0)
    try:
        value = decode(call.args[0])
    except FunctionError as error:
        text = f"Invalid arguments for service/actions.js:{name}: {error.text}"
        raise FunctionError(text, levels=0) from error
    if not isinstance(value, dict):
        text = (
            "ArgumentValidationError: Expected to receive an object as the function's argument. "
            f"Instead received: {show(value)}"
        )
        raise FunctionError(text, levels=0)
    return value
