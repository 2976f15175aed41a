"""What the tests of the borders share: raw servers, a claim, and logs put back as they were."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from dispatcher.domain.delivery import Claim, entry_of
from dispatcher.domain.ids import SessionKey
from tests.adapters.raw_server import Play, RawServer
from tests.samples import TASK, notification

SESSION_KEY = SessionKey(f"task:{TASK}:agent:engineer:acc:v1")


@pytest.fixture
def raw() -> Iterator[Callable[[Play], RawServer]]:
    """Start raw servers; all are stopped after the test."""
    with ExitStack() as stack:
        yield lambda play: stack.enter_context(RawServer(play))


@pytest.fixture
def claim() -> Claim:
    entry = entry_of(notification())
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return Claim(
        conversation=entry.conversation,
        token="claim-1",
        delivery=entry.delivery,
        entry=entry,
        attempts=0,
        waits=0,
        unanswered=0,
        looks=0,
        put_at=now,
        claimed_at=now,
        row_key_user=None,
        journal_text="",
    )


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
