"""The one function that takes secrets out of text that leaves the program."""

import re
from typing import Final

ERROR_LIMIT: Final = 500

_RULES: Final = (
    (re.compile(r"mc_service_\w+", re.IGNORECASE), "mc_service_***"),
    (re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"(://)[^/\s:@]*:[^/\s@]*@"), r"\1***@"),
    (
        re.compile(
            r"""((?:service_?token|gateway_?token|console_?token|turn_token_key|api_?key|password|"""
            r"""secret|token)["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s"',;&}]+)""",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    (re.compile(r"\b(?:agent:[\w.-]+:)?(?:task|system):[^\s\"',;)}\]]+"), "(session-key)"),
)


def redact(text: str) -> str:
    """Replace tokens, passwords in URLs, bearer values and session keys.

    Running it twice changes nothing more.
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def short_error(text: str) -> str:
    """Redact an error text and cut it to 500 characters and three dots."""
    safe = " ".join(redact(text).split())
    return safe if len(safe) <= ERROR_LIMIT else safe[:ERROR_LIMIT] + "..."
