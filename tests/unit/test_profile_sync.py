"""The loop that writes profiles: off unless it is switched on, and told once."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.domain.errors import BackendUnavailable
from dispatcher.runtime.leadership import STAND_BY
from dispatcher.runtime.profiles import ProfileSync
from tests.fakes.clock import ManualClock
from tests.unit.test_profile import profile


class Office:
    """A backend, a lead and settings, as a test sets them."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.failure: Exception | None = None
        self.leads: int | None = 1
        self.told: list[tuple[str, ...]] = []
        self.settings = SimpleNamespace(
            openclaw_profile_sync=True,
            openclaw_gateway_url="http://127.0.0.1:1",
            openclaw_workspace_root=str(folder / "agents"),
            workspace_seen_by_gateway="/root/clawd/agents",
            has_ai_gateway=False,
            agent_sync_interval=60_000,
        )
        vars(self.settings).update(changes)
        self.backend, self.clock = self, ManualClock()

    def sync(self) -> ProfileSync:
        parts: Any = self
        return ProfileSync(parts, parts, parts)

    def profiles(self) -> tuple[Any, ...]:
        if self.failure:
            raise self.failure
        return (profile(),)

    def term(self) -> int | None:
        return self.leads

    def are_credentials_rejected(self) -> bool:
        return False

    def profiles_synced(self, problems: tuple[str, ...]) -> None:
        self.told.append(problems)


def test_item_164_switched_off_nothing_is_written_and_one_warning_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        sync = Office(tmp_path, openclaw_profile_sync=False).sync()
        for _ in range(3):
            sync.round()

    assert list(tmp_path.iterdir()) == []
    assert [record.message for record in caplog.records] == [
        "OPENCLAW_PROFILE_SYNC is off: the gateway must know the agents by itself"
    ]


def test_a_standby_writes_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.leads = None

    assert office.sync().round() == STAND_BY
    assert list(tmp_path.iterdir()) == []


def test_a_backend_that_is_away_is_told_once_and_forgotten_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office(tmp_path)
    sync = office.sync()
    office.failure = BackendUnavailable("away")

    with caplog.at_level(logging.ERROR):
        sync.round()
        sync.round()
    office.failure = None
    sync.round()

    assert len(caplog.records) == 1
    assert [len(problems) for problems in office.told] == [1, 1, 0]
    assert (tmp_path / "agents/engineer/SOUL.md").exists()
