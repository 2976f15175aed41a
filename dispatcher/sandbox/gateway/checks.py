"""What the checks of a request are made of, and how each says no."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn


class Refusal(Exception):
    """The request is answered without a run."""


class BadRequest(Refusal):
    """A field is wrong, missing or unknown: 400 with the message."""


class ToolConflict(Refusal):
    """Two tools of one name, or a name of the gateway's own: 400 with a failed response."""


class Nameless(Refusal):
    """Whatever the gateway has no words for: 500 ``internal error``."""


Check = Callable[[object, str], None]


class Undefined:
    """Stands for a field that is not there, which is not the same as null."""


UNDEFINED: Final = Undefined()
KINDS: Final[dict[type, str]] = {
    Undefined: "undefined", type(None): "null", bool: "boolean", int: "number", float: "number",
    str: "string", list: "array", dict: "object",
}  # fmt: skip


def check_shape(
    fields: Mapping[str, object],
    known: Mapping[str, Check],
    path: str,
    *,
    required: tuple[str, ...],
) -> None:
    """Check the known fields first and complain about unknown ones last, as the gateway does."""
    prefix = f"{path}." if path else ""
    for name, check in known.items():
        if name in fields:
            check(fields[name], prefix + name)
        elif name in required:
            # A missing field fails its type check with "undefined".
            check(UNDEFINED, prefix + name)
    unknown = [f'"{name}"' for name in fields if name not in known]
    if unknown:
        word = "key" if len(unknown) == 1 else "keys"
        raise BadRequest(f"{path}: Unrecognized {word}: {', '.join(unknown)}")


def wrong(path: str, expected: str, value: object) -> NoReturn:
    """Refuse a value of the wrong type."""
    raise BadRequest(f"{path}: Invalid input: expected {expected}, received {KINDS[type(value)]}")


def an_object(value: object, path: str) -> dict[str, Any]:
    """Return the value if it is an object, refuse it otherwise."""
    if not isinstance(value, dict):
        wrong(path, "object", value)
    return value


def typed(expected: str) -> Check:
    """Make a check for one type of JSON."""

    def check(value: object, path: str) -> None:
        if KINDS[type(value)] != expected:
            wrong(path, expected, value)

    return check


def one_of(*allowed: str) -> Check:
    """Make a check for one of some words."""
    listed = "|".join(f'"{word}"' for word in allowed)

    def check(value: object, path: str) -> None:
        if value not in allowed:
            raise BadRequest(f"{path}: Invalid option: expected one of {listed}")

    return check


def between(low: float, high: float) -> Check:
    """Make a check for a number within bounds, both included."""

    def check(value: object, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            wrong(path, "number", value)
        if value > high:
            raise BadRequest(f"{path}: Too big: expected number to be <={high:g}")
        if value < low:
            raise BadRequest(f"{path}: Too small: expected number to be >={low:g}")

    return check


def a_count(value: object, path: str) -> None:
    """Check for a whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong(path, "number", value)
    if value % 1 != 0:
        wrong(path, "int", value)
    if value <= 0:
        raise BadRequest(f"{path}: Too small: expected number to be >0")
