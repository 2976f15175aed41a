"""What we build on is named, pinned, justified, and looked at for known holes."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from dispatcher.lab import audit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0].lower())


def test_every_package_of_the_program_is_justified() -> None:
    page = (ROOT / "ops" / "security.md").read_text()
    rows = page.rpartition("| Package |")[2].splitlines()[2:]
    named = {word for row in rows for word in re.findall(r"[\w-]+", row.split("|")[1])}

    wanted = {name_of(one) for one in (*PROJECT["dependencies"], *EXTRAS["embedded"])}
    assert named == wanted


def test_every_package_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    names = {name_of(line) for line in pins}

    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    every = (*PROJECT["dependencies"], *EXTRAS["embedded"], *EXTRAS["dev"])
    assert {name_of(one) for one in every} - names == {"mission-control-dispatcher"}


class Told:
    """pip-audit, and what it says."""

    def __init__(self, packages: object) -> None:
        self.stdout = (
            packages if isinstance(packages, str) else json.dumps({"dependencies": packages})
        )


HOLE = {"id": "PYSEC-1", "fix_versions": ["2"]}
SKIPPED = {"name": "b", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([{"name": "a", "version": "1", "vulns": [HOLE]}], 1, "a 1: PYSEC-1, mended in 2"),
        ([{"name": "a", "version": "1", "vulns": []}], 0, ""),
        ([{"name": "a", "version": "1", "vulns": []}, SKIPPED], 0, "1 of 2 packages could not"),
        ([SKIPPED], 0, "NOT CHECKED"),
        ("", 0, "NOT CHECKED"),
    ],
)
def test_a_known_hole_fails_the_check_and_an_unreachable_source_is_said_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    packages: object, code: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Told(packages))

    assert audit.main(["constraints.txt"]) == code
    err = capsys.readouterr().err
    assert said in err
    assert bool(err) == bool(said)
