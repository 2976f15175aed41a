"""What all tests share: a clean environment and a private, real Redis."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dispatcher.lab.redis_server import RedisServer

_OURS = ("ACCOUNT_", "CONVEX_", "SERVICE_", "OPENCLAW_", "DELIVERY_", "REDIS_", "HEALTH_", "LOG_", "DEGRADED_",
         "WORKER_", "METRICS_", "CONSOLE_", "TURN_", "DEAD_", "DRAIN_", "AGENT_", "TASK_", "ALLOW_")  # fmt: skip


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the machine it runs on."""
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(Path(tmp_path_factory.mktemp("redis"))).start()
    yield server
    server.stop()


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """Put the machinery of logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    known = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in known]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.NOTSET)
    for logger, old in levels:
        logger.setLevel(old)
