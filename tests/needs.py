"""Programs that some tests need; a missing one fails in CI and skips on a laptop."""

import os
import shutil

import pytest

PACKAGES = {"promtool": "prometheus", "prometheus": "prometheus", "chromium": "chromium"}


def need(program: str) -> str:
    """Return where a program is."""
    found = shutil.which(program)
    if found is None:
        text = f"{program} is not installed (Debian: apt-get install {PACKAGES[program]})"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    return found
