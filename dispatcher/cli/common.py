"""What the verbs share: reading the settings, exit codes, complaints without tracebacks."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import wraps
from typing import NoReturn, ParamSpec

import click

from dispatcher.adapters.logs import set_up_logs
from dispatcher.domain.errors import SettingsInvalid, StoreUnavailable, StoreUnusable
from dispatcher.domain.redact import redact
from dispatcher.settings import Settings, load_settings, misspelt_names
from dispatcher.wiring import Parts, wire

Params = ParamSpec("Params")

_log = logging.getLogger(__name__)


class Exit(IntEnum):
    """The exit codes; those above 64 are the ones of ``sysexits.h``."""

    OK = 0
    FAILED = 1
    UNAVAILABLE = 69
    CONFIG = 78


def complain(text: str, code: Exit) -> NoReturn:
    """Print what is wrong and end with an exit code."""
    click.echo(redact(text), err=True)
    sys.exit(code)


def read_settings(process: str) -> Settings:
    """Read the settings and set up the logs; end with exit code 78 when they cannot be used."""
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        notes = "".join(f"\n  ? {note}" for note in misspelt_names())
        complain(f"{error}{notes}\nSee .env.example for all settings.", Exit.CONFIG)
    set_up_logs(level=settings.log_level, process=process)
    for note in (*settings.notes, *misspelt_names()):
        _log.warning("%s", note, extra={"action": "settings"})
    return settings


@contextmanager
def operator_parts() -> Iterator[Parts]:
    """Give the parts to a verb that looks into the store or changes something there."""
    parts = wire(read_settings("operator"))
    try:
        parts.mailboxes.open()
        yield parts
    finally:
        parts.close()


def without_tracebacks(command: Callable[Params, int]) -> Callable[Params, None]:
    """Turn a command's result into the exit code, and known failures into one line."""

    @wraps(command)
    def run(*args: Params.args, **kwargs: Params.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except StoreUnusable as error:
            complain(str(error), Exit.UNAVAILABLE)
        except StoreUnavailable as error:
            complain(f"{error}. Is REDIS_URL right, and does it run?", Exit.UNAVAILABLE)
        sys.exit(code)

    return run
