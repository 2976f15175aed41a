"""Writes the table of settings into the README: `python -m dispatcher.settings.table README.md`."""

import re
import sys
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from dispatcher.settings.fields import Settings

_BEGIN: Final = "<!-- settings: python -m dispatcher.settings.table README.md -->"
_END: Final = "<!-- end of settings -->"


def table_text() -> str:
    """Return every setting as a row: name, default, meaning with range and unit."""
    rows = [
        _row(name, field) for name, field in Settings.model_fields.items() if name != "notes_text"
    ]
    return "\n".join(["| Variable | Default | Meaning |", "|---|---|---|", *rows])


def with_table(page: str) -> str:
    """Return a page with the table as it is now between its two marks."""
    both = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
    return both.sub(lambda _: f"{_BEGIN}\n{table_text()}\n{_END}", page)


def _row(name: str, field: FieldInfo) -> str:
    facts = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    text = field.description or ""
    if "low" in facts:
        text += f" {facts['low']} to {facts['high']}{_unit(str(facts.get('unit', '')))}."
    return f"| `{name.upper()}` | {_default(field)} | {text} |"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None or value == "" or isinstance(value, SecretStr):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_table(target.read_text(encoding="utf-8")), encoding="utf-8")
