"""Whole stacks for the process tests: real processes over real sockets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatcher.lab.stack import Stack
from tests.process.facts import QUICK

StartStack = Callable[..., Stack]


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[StartStack]:
    """Start stacks with quick settings; all of them are stopped at the end."""
    stacks: list[Stack] = []

    def start(*, workers: int = 1, delay: float = 0.1, **settings: str) -> Stack:
        folder = tmp_path / f"stack{len(stacks)}"
        stack = Stack(
            folder,
            settings=QUICK | settings,
            workers=workers,
            sandbox_arguments=("--delay", str(delay)),
        )
        stacks.append(stack)
        stack.start()
        # Without a lead nobody listens in on the threads of others.
        stack.human("set_orchestrator", agent=None)
        return stack

    yield start
    for stack in stacks:
        stack.stop()
