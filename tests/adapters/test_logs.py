"""Log lines: one event, one line, whole JSON, and never a secret."""

import io
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.adapters.logs import set_up_logs

pytestmark = pytest.mark.usefixtures("kept_logging")

SECRET = "hunter2-and-more"
TOKEN = f"mc_service_acc_{'5e' * 32}"
LEAKS = [
    f"SERVICE_TOKEN={SECRET} was given",
    f"OPENCLAW_GATEWAY_TOKEN: {SECRET}",
    f'serviceToken: "{SECRET}"',
    f"serviceToken: '{SECRET}'",
    json.dumps({"accountId": "acc", "serviceToken": SECRET, "limit": 5}),
    repr({"token": SECRET}),
    f"Authorization: Bearer {SECRET}",
    f'{{"Authorization": "Bearer {SECRET}"}}',
    f"http://user:{SECRET}@redis:6379/0",
    f"https://gateway/?token={SECRET}&x=1",
    f"the session task:{SECRET}:agent:engineer:acc:v1 is new",
    f'the session "agent:engineer:task:{SECRET}:v1" is new',
    f"system:{SECRET}\nand a second line",
    f"{TOKEN}{SECRET[:7]}",
]


class Terminal(io.StringIO):
    """A stream with a person behind it."""

    def isatty(self) -> bool:
        return True


def lines_of(say: Callable[[logging.Logger], object], stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    set_up_logs(level="debug", process="worker", stream=stream)
    say(logging.getLogger("dispatcher.test"))
    return stream.getvalue()


def line_of(say: Callable[[logging.Logger], object]) -> dict[str, Any]:
    text = lines_of(say)
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_is_one_json_object_with_its_fields() -> None:
    """A machine reads it: the ids are fields, not part of the sentence."""
    extra = {"action": "ask", "delivery": "n1:m1", "attempt": 2}

    line = line_of(lambda log: log.warning("%s answered", "engineer", extra=extra))

    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "process": "worker",
        "logger": "dispatcher.test",
        "message": "engineer answered",
        "action": "ask",
        "delivery": "n1:m1",
        "attempt": 2,
    }


@pytest.mark.parametrize(
    "text",
    ["two\nlines", 'a "quoted" word', "back\\slash", "tab\t", "Grüße 😀", "\x00\x1b[31m", ""],
)
def test_any_text_stays_one_whole_line(text: str) -> None:
    """Or a message could forge a line of its own."""
    told = line_of(lambda log: log.info("%s", text))["message"]

    # What would steer a terminal is not even told.
    assert told == ("" if "\x1b" in text else text)


@pytest.mark.parametrize("text", LEAKS)
def test_a_secret_in_a_message_is_taken_out(text: str) -> None:
    """And the line is still JSON."""
    line = lines_of(lambda log: log.error("it failed: %s", text))

    assert SECRET not in line
    assert TOKEN not in line
    assert json.loads(line)["message"].startswith("it failed: ")


@pytest.mark.parametrize("text", LEAKS)
def test_a_secret_in_an_extra_field_is_taken_out(text: str) -> None:
    """Fields are text as well."""
    line = lines_of(lambda log: log.error("it failed", extra={"cause": text, "more": {"in": text}}))

    assert SECRET not in line
    assert json.loads(line)["message"] == "it failed"


@pytest.mark.parametrize("name", ["token", "service_token", "password", "secret", "api_key"])
@pytest.mark.parametrize("value", [SECRET, 12345, f'with "quotes" {SECRET}'])
def test_a_field_that_is_named_for_a_secret_is_taken_out(name: str, value: object) -> None:
    """Nobody should log it, and if somebody does it is not shown; the line stays JSON."""
    line = lines_of(lambda log: log.error("it failed", extra={name: value}))

    assert SECRET not in line
    assert "12345" not in line
    assert json.loads(line)["message"] == "it failed"


@pytest.mark.parametrize("text", LEAKS)
def test_a_secret_in_a_traceback_is_taken_out(text: str) -> None:
    """Foreign errors quote what they were given."""

    def fail(log: logging.Logger) -> None:
        try:
            raise RuntimeError(text)
        except RuntimeError:
            log.exception("it failed")

    line = lines_of(fail)

    assert SECRET not in line
    assert json.loads(line)["error"].startswith("Traceback")
    assert line.count("\n") == 1


@pytest.mark.parametrize("text", LEAKS)
def test_a_terminal_gets_plain_lines_without_secrets(text: str) -> None:
    """For people: no JSON, and the same redaction."""
    line = lines_of(lambda log: log.error("it failed: %s", text, extra={"cause": text}), Terminal())

    assert SECRET not in line
    assert not line.startswith("{")
    assert "worker" in line
    assert "it failed" in line


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warn", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_says_how_much(level: str, expected: list[str]) -> None:
    """By the words of the settings."""
    stream = io.StringIO()
    set_up_logs(level=level, process="runtime", stream=stream)
    log = logging.getLogger("dispatcher.test")
    for say in (log.debug, log.info, log.warning, log.error):
        say("hello")

    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == expected


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "dramatiq.worker.Worker"])
def test_libraries_speak_only_from_warning_on(name: str) -> None:
    """One line per HTTP request is no news; and httpx prints the URL."""
    stream = io.StringIO()
    set_up_logs(level="debug", process="worker", stream=stream)

    logging.getLogger(name).info("HTTP Request: POST")
    logging.getLogger(name).warning("something")

    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["something"]


def test_setting_up_twice_does_not_double_the_lines() -> None:
    """A worker is set up again in each of its processes."""
    set_up_logs(level="info", process="worker", stream=io.StringIO())

    assert lines_of(lambda log: log.info("once")).count("once") == 1


def test_a_field_that_json_does_not_know_is_written_as_text() -> None:
    """A log line must never be the reason for a second error."""
    line = line_of(lambda log: log.info("hello", extra={"wait": object(), "ids": {1, 2}}))

    assert "object" in line["wait"]


def test_a_stream_that_is_no_whole_file_will_do() -> None:
    """A worker's standard error is a pipe of Dramatiq's, which knows only how to write."""

    class Pipe:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

    pipe = Pipe()
    set_up_logs(level="info", process="worker", stream=pipe)  # type: ignore[arg-type]
    logging.getLogger("dispatcher.test").info("hello")

    assert json.loads(pipe.text)["message"] == "hello"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_escape_sequences_are_taken_out(stream: type[io.StringIO]) -> None:
    """A message of a stranger must not repaint an operator's terminal."""
    evil = "\x1b]0;owned\x07\x1b[2Jred\x9b31m\u202etfel"

    line = lines_of(lambda log: log.error("it said %s", evil, extra={"agent": evil}), stream())

    ours = re.sub(r"\x1b\[[0-9;]*m", "", line)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", ours)
    assert "owned" not in ours


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.text(), after=st.text(), field=st.sampled_from(["cause", "error", "task", "x"]),
    is_terminal=st.booleans(),
)  # fmt: skip
def test_no_line_of_any_form_holds_a_token(before, after, field, is_terminal) -> None:
    text = f"{before}{TOKEN} {after}"
    stream = Terminal() if is_terminal else io.StringIO()

    line = lines_of(lambda log: log.error("%s", text, extra={field: [text]}), stream)

    assert TOKEN not in line


def test_waitress_and_dramatiq_speak_in_the_same_form() -> None:
    for name in ("waitress.queue", "dramatiq.worker"):
        line = json.loads(lines_of(lambda _, n=name: logging.getLogger(n).warning("busy")))
        assert (line["logger"], line["level"], line["process"]) == (name, "warning", "worker")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@pytest.mark.parametrize("name", ["event", "timestamp", "time", "level", "exception"])
def test_a_field_that_is_called_like_a_part_of_the_line_replaces_nothing(stream, name) -> None:
    line = lines_of(lambda log: log.info("hello", extra={name: 5}), stream())

    assert "hello" in line
    assert "info" in line
    assert "5" in line
