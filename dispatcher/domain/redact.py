"""The one function that takes secrets out of text that leaves the program."""

import re
from functools import lru_cache
from typing import Final

ERROR_LIMIT: Final = 500

_VALUE: Final = r"""[^\s"'\\,;&<>()\[\]{}]+"""
_MARK: Final = "***"
_NAMES: Final = r"(?:service_?token|gateway_?token|console_?token|turn_token_key|api_?key|password|secret|token)"
_SECRET_NAME: Final = re.compile(_NAMES + "$", re.IGNORECASE)

_TURN_TOKEN: Final = re.compile(
    r"(?<![\w-])turn_\.?[\w-]{40,1900}\.[\w-]{4,8}\.[\w-]{43}(?![\w-])", re.ASCII
)
"""Payload, time and an HMAC of 32 bytes; bounded, so that no text can make the search slow."""

_RULES: Final = (
    (_TURN_TOKEN, "turn_" + _MARK),
    (re.compile("mc_service_" + _VALUE, re.IGNORECASE), "mc_service_" + _MARK),
    (re.compile(r"(bearer|basic)(\s+)" + _VALUE, re.IGNORECASE), r"\1\2" + _MARK),
    (re.compile(r"(://)[^/\s:@]*:[^/\s]*@"), r"\1" + _MARK + "@"),
    (
        re.compile(
            rf"""({_NAMES}\\*["']?\s*[=:]\s*)(\\*["'])(?:(?!\2).)*(?:\2|$)""",
            re.IGNORECASE | re.MULTILINE,
        ),
        r"\1\2" + _MARK + r"\2",
    ),
    (re.compile(rf"({_NAMES}\\*[\"']?\s*[=:]\s*){_VALUE}", re.IGNORECASE), r"\1" + _MARK),
    (
        re.compile(r"""(?:agent:[^\s:"']+:)?(?:task|system):[^\s"'\\,;)}\]]+""", re.IGNORECASE),
        "(session-key)",
    ),
)

_HINT: Final = re.compile(
    r"turn_|mc_service_|bearer|basic|://|token|key|password|secret|task:|system:", re.IGNORECASE
)
"""Without one of these words no rule can match: most texts need but this one search."""


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Say whether a field of this name holds a secret, whatever its value looks like."""
    return _SECRET_NAME.search(name) is not None


def without_turn_tokens(text: str) -> str:
    """Take an agent's token out of what it says: everybody reads that."""
    return _TURN_TOKEN.sub("turn_" + _MARK, text)


def redact(text: str) -> str:
    """Replace tokens, passwords in URLs, bearer values and session keys.

    Running it twice changes nothing more.
    """
    if _HINT.search(text) is None:
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def short_error(text: str) -> str:
    """Redact an error text and cut it to 500 characters and three dots."""
    safe = " ".join(redact(text).split())
    return safe if len(safe) <= ERROR_LIMIT else safe[:ERROR_LIMIT] + "..."
