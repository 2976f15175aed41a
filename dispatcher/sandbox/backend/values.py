"""Values on the wire: numbers with a fraction, tagged exotic types, and texts in JavaScript's ways."""

import base64
import binascii
import json
import math
import struct
from collections.abc import Callable
from typing import Final

from dispatcher.sandbox.backend.errors import FunctionError, refuse

JS_SPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_MAX_DEPTH: Final = 64
_MAX_ELEMENTS: Final = 8192
_MAX_FIELDS: Final = 1024
_MAX_KEY: Final = 1024


class Int64(int):
    """An int64 of the wire, which is no number of this API."""


def trim(text: str) -> str:
    """Trim as JavaScript does."""
    return text.strip(JS_SPACE)


def shortened(text: str, units: int) -> str:
    """Cut after ``units`` UTF-16 units, between code points, and mark the cut with an ellipsis.

    The real backend cuts between units; half a character there could never be sent.
    """
    raw = text.encode("utf-16-le")
    if len(raw) <= 2 * units:
        return text
    return raw[: 2 * units].decode("utf-16-le", "ignore").rstrip(JS_SPACE) + "…"


def decode(value: object, depth: int = 0) -> object:
    """Read an argument value; whole numbers become floats.

    Raises:
        FunctionError: It is nested too deep, too large, or uses a reserved key.
    """
    if depth > _MAX_DEPTH:
        refuse(f"Value is too deeply nested (maximum depth {_MAX_DEPTH})")
    if isinstance(value, list):
        if len(value) > _MAX_ELEMENTS:
            refuse(f"Array length is too long ({len(value)} > maximum length {_MAX_ELEMENTS})")
        return [decode(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return _decode_object(value, depth)
    return value


def encode(value: object) -> object:
    """Prepare a returned value for JSON: every number a float, exotic numbers tagged."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {name: encode(item) for name, item in value.items()}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return _encode_number(float(value))


def to_json(value: object) -> bytes:
    """Print a value as the backend does, keys sorted."""
    return json.dumps(encode(value), ensure_ascii=False, sort_keys=True).encode()


def show(value: object) -> str:
    """Print a value as it appears in error texts."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {show(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(show(item) for item in value) + "]"
        case Int64():
            return f"{int(value)}n"
        case bytes():
            return f"Bytes({value.hex()})"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _encode_number(number: float) -> object:
    if not math.isfinite(number) or (number == 0 and math.copysign(1, number) < 0):
        return {"$float": base64.b64encode(struct.pack("<d", number)).decode()}
    return number


def _decode_object(value: dict[str, object], depth: int) -> object:
    if len(value) == 1:
        key, content = next(iter(value.items()))
        if key in _TAGS:
            return _decode_tag(key, content)
    if len(value) > _MAX_FIELDS:
        refuse(f"Object has too many fields ({len(value)} > maximum number {_MAX_FIELDS})")
    for key in value:
        _check_key(key)
    return {key: decode(item, depth + 1) for key, item in value.items()}


def _check_key(key: str) -> None:
    if key.startswith("$"):
        refuse(f"Field name {key} starts with '$', which is reserved.")
    if len(key) > _MAX_KEY or not all(" " <= character <= "~" for character in key):
        refuse(f"Field name {show(key)} must be printable ASCII of at most {_MAX_KEY} characters.")


def _decode_tag(tag: str, content: object) -> object:
    try:
        raw = base64.b64decode(content if isinstance(content, str) else "", validate=True)
        return _TAGS[tag](raw)
    except (binascii.Error, struct.error) as error:
        text = f"Malformed value {tag}: {show(content)}"
        raise FunctionError(text) from error


def _float(raw: bytes) -> float:
    number: float = struct.unpack("<d", raw)[0]
    return number


def _int64(raw: bytes) -> Int64:
    return Int64(struct.unpack("<q", raw)[0])


_TAGS: Final[dict[str, Callable[[bytes], object]]] = {
    "$integer": _int64,
    "$float": _float,
    "$bytes": bytes,
}
