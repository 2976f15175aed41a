"""Builds what an agent is told: the instructions of a turn and the prompt itself.

All foreign text is fenced: it cannot produce a line that looks like one of our delimiters, it
loses control characters, and it has a limit.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from string import Template
from typing import Final

from dispatcher.domain.notification import Context, Message, Task
from dispatcher.domain.reply import SILENCE_WORD
from dispatcher.domain.text import cut_units, without_lone_surrogates

TITLE_LIMIT: Final = 500
BODY_LIMIT: Final = 15_000
DESCRIPTION_LIMIT: Final = 4_000
ENTRY_LIMIT: Final = 1_500
ENTRIES: Final = 25
NAME_LIMIT: Final = 120
TASK_TITLE_LIMIT: Final = 300

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_DELIMITER: Final = re.compile(r"^[ \t]*={3,}.*$|^.*={3,}[ \t]*$", re.MULTILINE)
_RUN_OF_EQUALS: Final = re.compile(r"={3,}")

Templates = Callable[[str], Template]
"""Gives a template by its name."""


def fenced(text: str, limit: int) -> str:
    """Make foreign text safe to stand between delimiters; nothing is deleted but controls.

    A line that begins or ends with a run of equal signs has its runs broken by blanks.
    """
    whole = without_lone_surrogates(text)
    clean = _CONTROL.sub("", whole.replace("\r\n", "\n").replace("\r", "\n")).strip()
    clean = _DELIMITER.sub(
        lambda line: _RUN_OF_EQUALS.sub(lambda run: " ".join(run.group()), line.group()), clean
    )
    return cut_units(clean, limit) or "(empty)"


def one_line(text: str, limit: int) -> str:
    """Make a name or a title fit on one line."""
    flat = " ".join(_CONTROL.sub(" ", without_lone_surrogates(text)).split())
    return cut_units(_RUN_OF_EQUALS.sub(lambda run: " ".join(run.group()), flat), limit)


def build_instructions(
    context: Context, templates: Templates, *, may_stay_silent: bool, is_repeated: bool
) -> str:
    """Build the system part of a turn.

    Args:
        context: The agent's name and role come from here, and nothing else that people wrote.
        templates: The texts.
        may_stay_silent: Nobody waits for an answer, so the agent gets a word for silence.
        is_repeated: The agent was asked before, and nobody knows what it did.
    """
    name = one_line(context.agent.name, NAME_LIMIT) if context.agent else ""
    role = one_line(context.agent.role, NAME_LIMIT) if context.agent else ""
    silence = templates("silence").substitute(word=SILENCE_WORD) if may_stay_silent else ""
    again = templates("again").substitute() if is_repeated else ""
    return templates("instructions").substitute(
        name=name or "Agent", role=role or "Unknown role", silence=silence, again=again
    )


def build_prompt(context: Context, templates: Templates) -> str:
    """Build the user part of a turn: the notification, its task and its thread."""
    row = context.notification
    return templates("notification").substitute(
        kind=one_line(row.kind_name, NAME_LIMIT),
        title=one_line(row.title, TITLE_LIMIT),
        body=fenced(row.body, BODY_LIMIT),
        task=_task(context.task, templates) if context.task else "",
        thread=_thread(context.thread, templates) if context.thread else "",
        request=_request(context.message, templates) if context.message else "",
        notification_id=row.notification_id,
    )


def _task(task: Task, templates: Templates) -> str:
    return templates("task").substitute(
        title=one_line(task.title, TASK_TITLE_LIMIT),
        status=one_line(task.status, NAME_LIMIT),
        task_id=task.task_id,
        description=fenced(task.description, DESCRIPTION_LIMIT),
    )


def _thread(thread: tuple[Message, ...], templates: Templates) -> str:
    shown = thread[-ENTRIES:]
    left_out = len(thread) - len(shown)
    plural = "s" if left_out > 1 else ""
    omitted = f"({left_out} older message{plural} left out)\n\n" if left_out else ""
    return templates("thread").substitute(
        omitted=omitted, entries="\n".join(_entry(message) for message in shown)
    )


def _entry(message: Message) -> str:
    at = "unknown_time"
    if message.created_at_ms:
        at = datetime.fromtimestamp(message.created_at_ms / 1000, UTC).isoformat()
    # Later lines are indented, so that no message can pretend to be another entry.
    content = fenced(message.content, ENTRY_LIMIT).replace("\n", "\n  ")
    return f"- [{at}] {_author(message)}: {content}"


def _request(message: Message, templates: Templates) -> str:
    return templates("request").substitute(
        author=_author(message), content=fenced(message.content, BODY_LIMIT)
    )


def _author(message: Message) -> str:
    named = message.author_name or f"{message.author_type}:{message.author_id}"
    return one_line(named, NAME_LIMIT)
