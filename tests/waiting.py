"""Waiting on a condition with a deadline: how tests wait for processes and clocks."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(
    look: Callable[[], Found],
    is_it: Callable[[Found], object] = bool,
    *,
    seconds: float = 10.0,
) -> Found:
    """Look again and again until what is found satisfies; fail with the last find."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if is_it(found):
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; last found: {found!r}")
        time.sleep(0.005)
