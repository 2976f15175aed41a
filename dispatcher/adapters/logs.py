"""Log lines as JSON or as text for people, redacted in one place."""

import json
import logging
import math
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from dispatcher.domain.redact import is_secret_name, redact
from dispatcher.domain.text import without_lone_surrogates

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET: Final = ("httpx", "httpcore", "dramatiq", "waitress", "werkzeug")


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, process, action, sentence, ids as fields."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        # Before the values are escaped: afterwards quotes and line ends look different.
        safe = {name: _redacted(name, value) for name, value in line.items()}
        return without_lone_surrogates(json.dumps(safe, ensure_ascii=False))


class _PlainLines(logging.Formatter):
    """For a terminal: time, process, sentence, then the ids."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = {n: v for n, v in vars(record).items() if n not in _PLAIN and n != "action"}
        extra = "".join(f" {name}={_redacted(name, value)}" for name, value in fields.items())
        text = f"{at} {self._process:8} {record.levelname.lower():7} {record.getMessage()}{extra}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redact(text)


def _redacted(name: str, value: object) -> Any:  # noqa: ANN401 - JSON
    """Take the secrets out of a value: by its name, and out of every text in it."""
    if is_secret_name(name):
        return "***"
    match value:
        case dict():
            return {redact(str(key)): _redacted(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted("", inner) for inner in value]
        case bool() | int() | None:
            return value
        case float() if math.isfinite(value):
            return value
        case _:
            return redact(str(value))


def set_up_logs(*, level: str, process: str, stream: TextIO | None = None) -> None:
    """Send all log lines to one stream: JSON, or plain text when it is a terminal.

    Args:
        level: ``debug``, ``info``, ``warn`` or ``error``.
        process: Which of our processes speaks.
        stream: Standard error unless given.
    """
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    # A worker's stream is a pipe of Dramatiq's, which is no whole file.
    is_terminal = getattr(target, "isatty", lambda: False)()
    lines = _PlainLines if is_terminal else _JsonLines
    handler.setFormatter(lines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, LEVELS[level]))
