"""The only reader of the environment: read once, checked, then frozen.

Every value is trimmed and freed of one pair of quotes first, because ``docker run --env-file``
passes quotes on. A bad number is a warning and the default; a number out of range is moved to the
nearest bound with a warning. A missing or malformed required value, URL or token is fatal, and all
problems are told at once.
"""

import difflib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from dispatcher.domain.errors import SettingsInvalid
from dispatcher.settings.fields import Settings
from dispatcher.settings.secret_files import SUFFIX, read_secret_files, secret_names

__all__ = ["Settings", "given_parts", "known_names", "load_settings", "misspelt_names"]

_PARTS = (
    "REDIS_URL", "CONVEX_URL", "ACCOUNT_ID", "SERVICE_TOKEN",
    "OPENCLAW_GATEWAY_URL", "OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_REQUEST_TIMEOUT_MS", "LOG_LEVEL",
)  # fmt: skip


def load_settings(env_file: Path | None = Path(".env")) -> Settings:
    """Read the settings from the environment, and from a file where a variable is not set.

    A secret may stand in a file of its own, which ``NAME_FILE`` names.

    Raises:
        SettingsInvalid: With one sentence for every problem, none of them with a secret.
    """
    try:
        secrets: dict[str, Any] = read_secret_files(
            _given(env_file), secret_names(Settings.model_fields)
        )
        return Settings(_env_file=env_file, **secrets)
    except ValidationError as error:
        names = sorted({str(one["loc"][0]).upper() for one in error.errors() if one["loc"]})
        raise SettingsInvalid(tuple(f"{name} cannot be used." for name in names)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            (f"{env_file} cannot be read ({type(error).__name__}): it must be UTF-8 text.",)
        ) from None


def known_names() -> tuple[str, ...]:
    """Return the names of all variables that the settings read."""
    return tuple(name.upper() for name in Settings.model_fields if name != "notes_text")


def misspelt_names(env_file: Path | None = Path(".env")) -> tuple[str, ...]:
    """Point out variables whose names are close to one of ours, a sentence each."""
    given = set(os.environ)  # noqa: TID251 - this is the one reader
    # A file that cannot be read is told by load_settings.
    with suppress(OSError, UnicodeDecodeError):
        if env_file is not None and env_file.is_file():
            given |= set(dotenv_values(env_file))
    files = (f"{name.upper()}{SUFFIX}" for name in secret_names(Settings.model_fields))
    return tuple(_pointed_out(given, (*known_names(), *files)))


def _pointed_out(given: Iterable[str], known: tuple[str, ...]) -> Iterable[str]:
    present = {name.upper() for name in given}
    for name in sorted(name for name in given if name.upper() not in known):
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.87)
        if near and near[0] not in present:
            yield f"{name} is not a setting; is {near[0]} meant?"


def _given(env_file: Path | None) -> dict[str, str | None]:
    in_file = dotenv_values(env_file) if env_file is not None and env_file.is_file() else {}
    return {**in_file, **os.environ}  # noqa: TID251 - this is the one reader


def given_parts() -> dict[str, str]:
    """Return the variables of this process that replace parts of an embedded stack."""
    return {name: os.environ[name] for name in _PARTS if os.environ.get(name)}  # noqa: TID251
