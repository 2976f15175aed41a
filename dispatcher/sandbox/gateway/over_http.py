"""Agents without tools: they call the endpoints that their instructions name, as told there."""

import http.client
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from dispatcher.sandbox.gateway.script import Call

_HEADER: Final = re.compile(r"^`(x-openclaw-session-key): (\S+)`$", re.MULTILINE)
_BASE: Final = re.compile(r"Send JSON to (https?://\S+?)/agent/")
_WITHIN_S: Final = 10.0


def call_over_http(instructions: str, calls: Sequence[Call]) -> tuple[str, ...]:
    """Call each endpoint that the instructions name; a call is named by its path.

    Returns:
        ``"<status> <body>"`` for each call; nothing when there is no such way.
    """
    header, base = _HEADER.search(instructions), _BASE.search(instructions)
    if header is None or base is None:
        return ()
    known = [call for call in calls if f"/agent/{call.name}`" in instructions]
    return tuple(_post(base[1], {header[1]: header[2]}, call) for call in known)


def _post(base: str, headers: dict[str, str], call: Call) -> str:
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_WITHIN_S)
    try:
        connection.request("POST", f"/agent/{call.name}", call.body, headers)
        answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"unreachable: {type(error).__name__}"
    finally:
        connection.close()
