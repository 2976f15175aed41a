"""Waiting on a condition with a deadline: how tests wait for processes and clocks."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

Found = TypeVar("Found")


def until(
    look: Callable[[], Found],
    is_it: Callable[[Found], object] = bool,
    *,
    seconds: float = 10.0,
) -> Found:
    """Look again and again until what is found satisfies; fail with the last find.

    A look that finds nobody at home, or half of what it looks for, is repeated as well: whatever
    starts, stops or is held up answers so for a moment.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            found: Found | Exception = look()
            if not isinstance(found, Exception) and is_it(found):
                return found
        except (httpx.HTTPError, KeyError) as error:
            found = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; last found: {found!r}")
        time.sleep(0.005)
