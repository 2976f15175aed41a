"""Writes `.env.example` from the settings: `python -m dispatcher.settings.example > .env.example`."""

import sys
from textwrap import wrap

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from dispatcher.settings.fields import Settings

_HEAD = """\
# Settings of the dispatcher. Copy this file to .env and fill in the first three.
#
# Real environment variables win over this file. A line that starts with # is off, and the value
# after its = is the default.
#
# Each secret, and REDIS_URL, may stand in a file of its own: SERVICE_TOKEN_FILE=/run/secrets/token
# instead of SERVICE_TOKEN, and so on.
"""


def example_text() -> str:
    """Return the whole file: every setting with its meaning, unit, range and default."""
    fields = {name: field for name, field in Settings.model_fields.items() if name != "notes_text"}
    return _HEAD + "".join(f"\n{_entry(name, field)}" for name, field in fields.items())


def _entry(name: str, field: FieldInfo) -> str:
    facts = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    text = field.description or ""
    if "low" in facts:
        unit = f" {facts['unit']}" if facts.get("unit") else ""
        text += f" {facts['low']} to {facts['high']}{unit}."
    if field.is_required():
        text += " Required."
    comment = "".join(f"# {line}\n" for line in wrap(text, 96))
    return f"{comment}{'' if field.is_required() else '#'}{name.upper()}={_default(field)}\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required() or value is None or isinstance(value, SecretStr):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(example_text())
