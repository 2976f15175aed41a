"""The HTTP face of the functions: what is read, what is answered, byte for byte."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from dispatcher.sandbox.backend.calls import Call
from dispatcher.sandbox.backend.errors import FunctionError, TransportError
from dispatcher.sandbox.backend.values import to_json

MAX_BODY: Final = 16_779_216
"""Bytes; 16 MiB of arguments and a little for what is around them."""

_JSON_TYPE: Final = re.compile(r"application/(?:[\w.+-]+\+)?json", re.IGNORECASE)
_MODULE: Final = re.compile(r"[A-Za-z0-9_.]{1,64}(?:/[A-Za-z0-9_.]{1,64})*")
_FUNCTION: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_CLIENT: Final = re.compile(r".+-\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
_FORMATS: Final = frozenset({None, "json", "convex_encoded_json"})
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over the wire."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Style:
    """How function errors are told.

    Attributes:
        redacted: As a production deployment does: no text at all.
        as_560: With HTTP 560 in place of 200.
    """

    redacted: bool = False
    as_560: bool = False


def parse(headers: Mapping[str, str], body: bytes) -> tuple[Call, object]:
    """Read a request.

    Returns:
        The call, and the format that was asked for; that one is looked at after the call ran.

    Raises:
        TransportError: The request is not answered by a function.
    """
    _check_headers(headers)
    if len(body) > MAX_BODY:
        _bad_body(f"Body is larger than {MAX_BODY} bytes")
    members = _members(body)
    path, args = members.get("path"), members.get("args")
    if not isinstance(path, str):
        _bad_body("missing field `path`")
    if isinstance(args, dict):
        args = [args]
    if not isinstance(args, list):
        _bad_body("missing field `args`")
    _check_path(path)
    request_id = headers.get("Convex-Request-Id") or secrets.token_hex(8)
    return Call(path, args, request_id), members.get("format")


def check_format(wanted: object) -> None:
    """Throw on an unknown format; too late for the call, which has run."""
    if not (wanted is None or isinstance(wanted, str)) or wanted not in _FORMATS:
        raise TransportError(400, "BadFormat", f"Unknown format {wanted}")


def success(value: object) -> Answer:
    """Answer with what the function returned."""
    return Answer(200, to_json({"status": "success", "value": value}))


def function_error(error: FunctionError, call: Call, style: Style) -> Answer:
    """Answer that the function threw."""
    text = f"[Request ID: {call.request_id}] Server Error"
    if error.text and not style.redacted:
        text = f"{text}\n{error.report()}"
    status = 560 if style.as_560 else 200
    return Answer(status, to_json({"status": "error", "errorMessage": text}))


def transport_error(error: TransportError) -> Answer:
    """Answer outside of any function."""
    if not error.code:
        return Answer(error.status, error.message.encode(), "text/html")
    return Answer(error.status, to_json({"code": error.code, "message": error.message}))


def _check_headers(headers: Mapping[str, str]) -> None:
    authorization = headers.get("Authorization")
    if authorization is not None:
        _refuse_authorization(authorization)
    client = headers.get("Convex-Client")
    if client is not None and not _CLIENT.fullmatch(client):
        message = f"Failed to parse client version: {client}"
        raise TransportError(400, "InvalidClientVersion", message)
    content_type = headers.get("Content-Type", "").partition(";")[0].strip()
    if not _JSON_TYPE.fullmatch(content_type):
        _bad_body("Expected request with `Content-Type: application/json`")


def _refuse_authorization(value: str) -> NoReturn:
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() == "bearer" and credentials:
        raise TransportError(401, "InvalidAuthHeader", "Could not parse JWT")
    if scheme.lower() == "convex" and credentials:
        raise TransportError(400, "InvalidAdminKey", "The admin key is not valid")
    raise TransportError(400, "InvalidHeaderFailure", "Malformed Authorization header")


def _members(body: bytes) -> dict[str, object]:
    try:
        text = body.decode()
        members = json.loads(text, parse_int=float, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TransportError(400, "BadJsonBody", f"Failed to parse body: {error}") from error
    # Only an escape can smuggle in half a character; looking for one first spares the long walk.
    if "\\u" in text and _LONE_SURROGATE.search(json.dumps(members, ensure_ascii=False)):
        _bad_body("lone leading surrogate in hex escape")
    if not isinstance(members, dict):
        _bad_body("expected an object")
    return members


def _no_constant(name: str) -> NoReturn:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _bad_body(message: str) -> NoReturn:
    raise TransportError(400, "BadJsonBody", message)


def _check_path(path: str) -> None:
    module, colon, function = path.rpartition(":")
    if not colon:
        module, function = path, "default"
    if not (_MODULE.fullmatch(module) and _FUNCTION.fullmatch(function)):
        message = f"{path} is not a valid path to a Convex function"
        raise TransportError(400, "BadConvexFunctionIdentifier", message)
