"""Settings read from exactly the variables that a test names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.domain.errors import SettingsInvalid
from dispatcher.settings import Settings, load_settings

ACCOUNT = "j57dxw5hfxg351ff8cvfdrz3vka3r13s"
OTHER_ACCOUNT = "j57other0000000000000000000000000"
SECRET = "9f86d081884c7d65"
REQUIRED = {
    "ACCOUNT_ID": ACCOUNT,
    "CONVEX_URL": "https://happy-animal-123.convex.cloud",
    "SERVICE_TOKEN": f"mc_service_{ACCOUNT}_{SECRET}",
}
NAMES = tuple(REQUIRED)


def read_with(**variables: str | None) -> Settings:
    """Read the settings from exactly these variables beside the required ones."""
    with pytest.MonkeyPatch.context() as machine:
        for name in list(os.environ):
            machine.delenv(name)
        for name, value in (REQUIRED | variables).items():
            if value is not None:
                machine.setenv(name, value)
        return load_settings(None)


def problems_of(**variables: str | None) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        read_with(**variables)
    assert SECRET not in str(caught.value)
    return caught.value.problems


def notes_about(name: str, read: Settings) -> list[str]:
    return [note for note in read.notes if name in note]


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program in an empty folder with a bare environment."""
    return subprocess.run(
        [sys.executable, "-m", "dispatcher", "run"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
