"""The generated configuration is one that the real gateway takes, and its agents are there."""

import json
import os
import subprocess
from datetime import date
from pathlib import Path

import pytest

from dispatcher.adapters.workspace import Workspace
from dispatcher.domain.ids import AgentId
from dispatcher.flows.profiles import Place, sync_profiles
from dispatcher.prompts import manuals
from tests.gateway.install import ensure_installed
from tests.unit.test_profile import profile, skill

pytestmark = [pytest.mark.gateway, pytest.mark.timeout(300)]


class Backend:
    """Two agents, one of them with a skill."""

    def profiles(self):
        return (
            profile(skills=(skill(),)),
            profile(agent_id=AgentId("a2"), slug="squad-lead", name="Squad Lead", model=""),
        )


def merged(base: dict, over: dict) -> dict:
    """Put one configuration over another, as the gateway's container does."""
    found = dict(base)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = merged(found[name], value) if both else value
    return found


def test_item_158_the_real_gateway_takes_the_generated_configuration(tmp_path: Path) -> None:
    place = Place(
        workspaces=Workspace(tmp_path / "agents"),
        parent=Workspace(tmp_path),
        gateway_root=str(tmp_path / "agents"),
        manuals=manuals(),
        has_ai_gateway=False,
    )
    written = sync_profiles(profiles=Backend(), place=place, today=date(2026, 3, 1))
    assert written.problems == []
    base = {
        "gateway": {
            "mode": "local",
            "auth": {"mode": "token", "token": "for-this-test"},
            "http": {"endpoints": {"responses": {"enabled": True}}},
        },
        "agents": {"defaults": {"heartbeat": {"every": "0m"}}},
        "tools": {"profile": "minimal", "toolSearch": False},
    }
    generated = json.loads((tmp_path / "openclaw.json").read_text())
    config = tmp_path / "merged.json"
    config.write_text(json.dumps(merged(base, generated)))

    validated = validate(config, tmp_path)

    assert validated.returncode == 0, validated.stdout + validated.stderr
    broken = merged(base, generated)
    broken["agents"]["entries"]["engineer"]["nonsense"] = 1
    config.write_text(json.dumps(broken))
    assert validate(config, tmp_path).returncode != 0


def validate(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    installed = ensure_installed()
    (folder / "home").mkdir(exist_ok=True)
    return subprocess.run(
        [str(installed.node), str(installed.openclaw), "config", "validate"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "OPENCLAW_CONFIG_PATH": str(config),
            "OPENCLAW_STATE_DIR": str(folder / "state"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
