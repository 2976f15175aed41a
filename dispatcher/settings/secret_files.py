"""Secrets in files: ``NAME_FILE`` names the file that holds ``NAME``, as Docker secrets want it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from dispatcher.domain.errors import SettingsInvalid

SUFFIX: Final = "_FILE"
_LARGEST: Final = 64 * 1024
_ALSO: Final = frozenset({"redis_url"})
"""Not a secret by its type, but it may hold a password."""


def secret_names(fields: Mapping[str, FieldInfo]) -> tuple[str, ...]:
    """Name the settings that may stand in a file, in lower case."""
    return tuple(name for name, field in fields.items() if name in _ALSO or is_secret(field))


def read_secret_files(given: Mapping[str, str | None], names: tuple[str, ...]) -> dict[str, str]:
    """Read the secrets that stand in files.

    Args:
        given: Variables by name; the case of their names does not matter.
        names: Of the secrets, in lower case.

    Returns:
        The secrets by their names in lower case, without the line end that editors leave behind.

    Raises:
        SettingsInvalid: A file cannot be read, is empty, or its secret is given directly as well.
    """
    values = {name.lower(): value for name, value in given.items() if value}
    found: dict[str, str] = {}
    problems: list[str] = []
    for name in names:
        path = values.get(f"{name}{SUFFIX.lower()}")
        if path is None:
            continue
        if name in values:
            problems.append(f"{name.upper()} and {name.upper()}{SUFFIX} are both set: keep one.")
            continue
        try:
            found[name] = _content(Path(path))
        except (OSError, ValueError) as error:
            problems.append(
                f"{name.upper()}{SUFFIX} names a file that cannot be used "
                f"({type(error).__name__}): it must be UTF-8 text of one line."
            )
    if problems:
        raise SettingsInvalid(tuple(problems))
    return found


def _content(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    # Some editors begin a file with a mark that nobody sees.
    value = content.decode("utf-8-sig").strip()
    if not value or len(content) > _LARGEST or not value.isprintable():
        raise ValueError
    return value


def is_secret(field: FieldInfo) -> bool:
    """Say whether a setting is a secret by its type."""
    return SecretStr in {field.annotation, *getattr(field.annotation, "__args__", ())}
