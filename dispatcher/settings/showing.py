"""Shows the settings that count, and where each came from."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from pydantic import SecretStr

from dispatcher.domain.redact import redact
from dispatcher.settings.fields import Settings
from dispatcher.settings.secret_files import SUFFIX

_MASK: Final = "***"
_DERIVED: Final = {
    "delivery_max_concurrent_per_agent": "agent_cap",
    "delivery_stream_timeout_ms": "stream_timeout_ms",
    "drain_timeout_ms": "drain_ms",
    "task_status_base_url": "base_url_for_agents",
    "worker_threads": "threads",
}
"""What counts when a setting is not given and follows from others."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting: its variable, the value that counts, and where that came from."""

    name: str
    value: Any
    source: str


def shown_settings(settings: Settings, env_file: Path | None) -> tuple[Shown, ...]:
    """Return every setting with its effective value; secrets are masked."""
    return tuple(_each(settings, env_file))


def _each(settings: Settings, env_file: Path | None) -> Iterable[Shown]:
    in_file = _filled(dotenv_values(env_file)) if env_file and env_file.is_file() else frozenset()
    given = dict(os.environ)  # noqa: TID251 - only names are looked at
    in_environment, blank = _filled(given), frozenset(name.lower() for name in given)
    for name in Settings.model_fields:
        if name == "notes_text":
            continue
        value, source = getattr(settings, name), "default"
        if name in in_environment:
            source = "environment"
        elif f"{name}{SUFFIX.lower()}" in in_environment | in_file:
            source = "a file of its own"
        elif name in _DERIVED and not value:
            value, source = getattr(settings, _DERIVED[name]), "derived"
        elif name in blank:
            # It counts: a blank variable takes a setting back that the file makes.
            source = "environment, blank"
        elif name in in_file:
            source = str(env_file)
        yield Shown(name.upper(), _masked(value), source)


def _filled(values: Mapping[str, str | None]) -> frozenset[str]:
    return frozenset(name.lower() for name, value in values.items() if value)


def _masked(value: Any) -> Any:  # noqa: ANN401 - any setting
    if isinstance(value, SecretStr):
        return _MASK if value.get_secret_value() else ""
    return redact(value) if isinstance(value, str) else value
