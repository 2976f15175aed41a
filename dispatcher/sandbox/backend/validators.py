"""Checks of an argument object before anything runs, with the texts of Convex."""

from collections.abc import Callable, Mapping
from typing import Final, NoReturn, Protocol

from dispatcher.domain.ids import decode_document_id
from dispatcher.sandbox.backend.errors import FunctionError
from dispatcher.sandbox.backend.tables import NAMES
from dispatcher.sandbox.backend.values import Int64, show


class Validator(Protocol):
    """Something that accepts a value or throws."""

    @property
    def shown(self) -> str:
        """Return the validator as source text, for error texts."""

    def check(self, value: object, path: str) -> None:
        """Accept a value, or throw.

        Raises:
            FunctionError: The value is not acceptable; nothing has run.
        """


class Plain:
    """A value of one primitive kind."""

    def __init__(self, shown: str, accepts: Callable[[object], bool]) -> None:
        self.shown = shown
        self._accepts = accepts

    def check(self, value: object, path: str) -> None:
        """See ``Validator``."""
        if not self._accepts(value):
            _mismatch(self, value, path)


class IdOf:
    """A document id of one table; the document itself need not exist."""

    def __init__(self, table: str) -> None:
        self.shown = f'v.id("{table}")'
        self._table = table

    def check(self, value: object, path: str) -> None:
        """See ``Validator``."""
        decoded = decode_document_id(value) if isinstance(value, str) else None
        if decoded is None:
            _mismatch(self, value, path)
        table = NAMES.get(decoded[0])
        if table is None:
            _mismatch(self, value, path)
        if table != self._table:
            _invalid(
                f'Found ID "{value}" from table `{table}`, which does not match the table name '
                f"in validator `{self.shown}`.Path: {path}"
            )


class OneOf:
    """One of several literal texts."""

    def __init__(self, *literals: str) -> None:
        self.shown = f"v.union({', '.join(f'v.literal({show(text)})' for text in literals)})"
        self._literals = frozenset(literals)

    def check(self, value: object, path: str) -> None:
        """See ``Validator``."""
        if not (isinstance(value, str) and value in self._literals):
            _mismatch(self, value, path)


class ListOf:
    """A list of values of one kind."""

    def __init__(self, item: Validator) -> None:
        self.shown = f"v.array({item.shown})"
        self._item = item

    def check(self, value: object, path: str) -> None:
        """See ``Validator``."""
        if not isinstance(value, list):
            _mismatch(self, value, path)
        for number, item in enumerate(value):
            self._item.check(item, f"{path}[{number}]")


class Optional:
    """A field that may be left out, but not null."""

    def __init__(self, inner: Validator) -> None:
        self.shown = f"v.optional({inner.shown})"
        self._inner = inner

    def check(self, value: object, path: str) -> None:
        """See ``Validator``."""
        self._inner.check(value, path)


class ObjectOf:
    """An object with exactly the named fields."""

    def __init__(self, fields: Mapping[str, Validator]) -> None:
        inside = ", ".join(f"{name}: {field.shown}" for name, field in sorted(fields.items()))
        self.shown = f"v.object({{{inside}}})"
        self._fields = fields
        self._required = [n for n, field in fields.items() if not isinstance(field, Optional)]

    def check(self, value: object, path: str) -> None:
        """See ``Validator``."""
        if not isinstance(value, dict):
            _mismatch(self, value, path)
        for name in self._required:
            if name not in value:
                self._odd(
                    f"Object is missing the required field `{name}`. Consider wrapping the field "
                    "validator in `v.optional(...)` if this is expected.",
                    value,
                    path,
                )
        for name in value:
            if name not in self._fields:
                self._odd(
                    f"Object contains extra field `{name}` that is not in the validator.",
                    value,
                    path,
                )
        for name, item in value.items():
            self._fields[name].check(item, f"{path}.{name}")

    def _odd(self, problem: str, value: object, path: str) -> NoReturn:
        # Yes, the whole object, secrets and all: clients have to redact it.
        where = f"Path: {path}" if path else ""
        _invalid(f"{problem}\n{where}\nObject: {show(value)}\nValidator: {self.shown}")


def _mismatch(validator: Validator, value: object, path: str) -> NoReturn:
    _invalid(
        f"Value does not match validator.\nPath: {path}\n"
        f"Value: {show(value)}\nValidator: {validator.shown}"
    )


def _invalid(text: str) -> NoReturn:
    full = f"ArgumentValidationError: {text}"
    raise FunctionError(full, levels=0)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, (bool, Int64))


STRING: Final = Plain("v.string()", lambda value: isinstance(value, str))
NUMBER: Final = Plain("v.float64()", _is_number)
BOOLEAN: Final = Plain("v.boolean()", lambda value: isinstance(value, bool))
ACCOUNT: Final = IdOf("accounts")
AGENT: Final = IdOf("agents")
TASK: Final = IdOf("tasks")
NOTIFICATION: Final = IdOf("notifications")
DOCUMENT: Final = IdOf("documents")
STORED_FILE: Final = IdOf("_storage")

TASK_STATUS: Final = OneOf(
    "inbox", "assigned", "in_progress", "review", "done", "blocked", "archived"
)
AGENT_STATUS: Final = OneOf("online", "busy", "idle", "offline", "error")
RUNTIME_STATUS: Final = OneOf("provisioning", "online", "degraded", "offline", "error")
UPGRADE_RESULT: Final = OneOf("success", "failed", "rolled_back")
DOCUMENT_TYPE: Final = OneOf("deliverable", "note", "template", "reference")
