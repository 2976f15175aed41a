"""One stack for all crashes of a module: each has a conversation and a worker of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.lab.stack import Stack
from tests.chaos.ward import Ward
from tests.process.facts import QUICK


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """Start a stack without a worker; every test starts its own."""
    folder = Path(tmp_path_factory.mktemp("ward"))
    stack = Stack(folder, settings=QUICK, workers=0, sandbox_arguments=("--delay", "0.05"))
    try:
        stack.start()
        # Without a lead nobody listens in on the threads of others.
        stack.human("set_orchestrator", agent=None)
        engineer = stack.sandbox["agents"]["engineer"]
        stack.human("set_flags", agent=engineer, flags={"canCreateTasks": True})
        yield Ward(stack, folder)
    finally:
        stack.stop()
