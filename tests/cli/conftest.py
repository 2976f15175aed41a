"""The command line on a real store, in this process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from dispatcher.cli import dispatcher
from dispatcher.lab.redis_server import RedisServer, free_port
from tests.house import ACCOUNT, House, furnish


@pytest.fixture
def house(redis_client: redis.Redis) -> House:
    return furnish(redis_client)


@dataclass(frozen=True)
class Shell:
    """Runs verbs with the settings of one account."""

    settings: dict[str, str]

    def run(self, *arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(dispatcher, list(arguments), env=self.settings, **options)

    def text(self, *arguments: str, code: int = 0, **options: Any) -> str:
        """Run a verb that must end with an exit code; return its standard output."""
        result = self.run(*arguments, **options)
        assert result.exit_code == code, (result.output, result.exception)
        return result.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.text(*arguments, "--json", code=code))


@pytest.fixture
def shell(
    house: House, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    kept_logging: None,
) -> Shell:  # fmt: skip
    # No .env of somebody's working folder.
    monkeypatch.chdir(tmp_path)
    away = f"http://127.0.0.1:{free_port()}"
    return Shell({
        "ACCOUNT_ID": ACCOUNT,
        "CONVEX_URL": away,
        "SERVICE_TOKEN": "mc_service_acc_0123456789abcdef",
        "OPENCLAW_GATEWAY_URL": away,
        "REDIS_URL": redis_server.url,
        "ALLOW_VOLATILE_REDIS": "true",
    })  # fmt: skip
