"""`.env.example` tells the truth."""

import re
from pathlib import Path

from dotenv import dotenv_values

from dispatcher.settings import known_names
from dispatcher.settings.example import example_text
from dispatcher.settings.table import with_table

FILE = Path(__file__).parents[2] / ".env.example"


def test_the_example_file_equals_the_settings() -> None:
    """Write it anew with `python -m dispatcher.settings.example > .env.example`."""
    assert FILE.read_text(encoding="utf-8") == example_text()


def test_every_setting_is_in_the_example_and_only_the_required_ones_are_on(tmp_path: Path) -> None:
    switched_on = tmp_path / "all"
    switched_on.write_text("".join(
        line.removeprefix("#") for line in example_text().splitlines(keepends=True)
        if "=" in line and not line.startswith("# ")
    ))  # fmt: skip

    assert set(dotenv_values(switched_on)) == set(known_names())
    assert set(dotenv_values(FILE)) == {"ACCOUNT_ID", "CONVEX_URL", "SERVICE_TOKEN"}


README = Path(__file__).parents[2] / "README.md"


def test_the_table_of_the_readme_equals_the_settings() -> None:
    """Write it anew with `python -m dispatcher.settings.table README.md`."""
    page = README.read_text(encoding="utf-8")
    assert page == with_table(page)
    assert all(f"| `{name}` |" in page for name in known_names())


def test_every_variable_of_the_compose_files_is_in_the_readme() -> None:
    page = README.read_text(encoding="utf-8")
    for file in ("docker-compose.runtime.yml", "compose.redis.yml"):
        text = (README.parent / file).read_text(encoding="utf-8")
        for name in set(re.findall(r"\$\{(\w+)", text)):
            assert f"`{name}`" in page, name
