"""Log lines as JSON or as text for people, redacted in one place.

Everybody logs through the standard library, our code as well as Dramatiq, the web server and httpx;
structlog gives all of these lines one form.
"""

import json
import logging
import math
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.stdlib import ProcessorFormatter

from dispatcher.domain.redact import is_secret_name, redact
from dispatcher.domain.text import printable, without_lone_surrogates

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_QUIET: Final = ("httpx", "httpcore", "dramatiq", "waitress", "werkzeug")

_as_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TAKEN: Final = frozenset({
    "event", "timestamp", "time", "level", "logger", "process", "exception", "error", "exc_info",
    "stack_info", "_record", "_from_structlog",
})  # fmt: skip
_Line = MutableMapping[str, Any]


def line_formatter(process: str, *, is_terminal: bool) -> logging.Formatter:
    """Make the formatter of a process: for people, or one JSON object a line."""

    def with_process(_logger: object, _name: str, line: _Line) -> _Line:
        return {"process": process, **line}

    for_people: list[Any] = [
        with_process, _without_action, _redacted_line,
        ConsoleRenderer(pad_event_to=0, exception_formatter=plain_traceback),
    ]  # fmt: skip
    for_machines: list[Any] = [
        with_process, structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"), _with_error, _redacted_line,
        structlog.processors.JSONRenderer(serializer=_dumped),
    ]  # fmt: skip
    return ProcessorFormatter(
        foreign_pre_chain=[_with_extra, _with_origin],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            *([structlog.processors.format_exc_info, *for_people] if is_terminal else for_machines),
        ],
        use_get_message=True,
    )


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
    handler.setFormatter(line_formatter(process, is_terminal=is_terminal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, LEVELS[level]))


def _with_extra(_logger: object, _name: str, line: _Line) -> _Line:
    """Add the fields of the record; one that is called like a part of the line gets a tail."""
    record: logging.LogRecord = line["_record"]
    extra = {
        f"{name}_" if name in _TAKEN else name: value
        for name, value in vars(record).items()
        if name not in _PLAIN
    }
    return {**line, **extra}


def _with_origin(_logger: object, _name: str, line: _Line) -> _Line:
    """Say when it was logged, how loud and by whom; the record knows."""
    record: logging.LogRecord = line["_record"]
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {"timestamp": at, "level": record.levelname.lower(), "logger": record.name, **line}


def _without_action(_logger: object, _name: str, line: _Line) -> _Line:
    """Leave away what the sentence says already."""
    shown = {name: value for name, value in line.items() if name not in {"action", "logger"}}
    return {**shown, "timestamp": shown["timestamp"][11:19]}


def _with_error(_logger: object, _name: str, line: _Line) -> _Line:
    """Call things by our names: time, error."""
    line = {"time": line.pop("timestamp"), **line}
    if "exception" in line:
        line["error"] = line.pop("exception")
    return line


def _redacted_line(_logger: object, _name: str, line: _Line) -> _Line:
    """Take secrets and escape sequences out of every value.

    Before the values are escaped: afterwards quotes and line ends look different.
    """
    return {name: _redacted(name, value) for name, value in line.items()}


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
            return redact(printable(str(value)))


def _dumped(line: _Line, **_: object) -> str:
    return without_lone_surrogates(_as_json(line))
