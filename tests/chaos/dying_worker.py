"""A worker that kills itself at a chosen step, and is a real one in everything else.

Dramatiq boots it by ``tests.chaos.dying_worker:boot``, as ``dispatcher worker`` does with
``workers.main:boot``. The variable ``DIES`` says when: ``["after", "journal asked", 1]`` is right
after the first time that the journal of this stage was written.
"""

import json
import os
import signal
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.adapters.convex_actions import ConvexActions
from dispatcher.adapters.gateway import OpenClawGateway
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.domain.delivery import NotClaimed
from dispatcher.domain.journal import Journal
from workers import main

DIES: Final = "DIES"
STEPS: Final[dict[type, tuple[str, ...]]] = {
    RedisMailboxes: ("claim", "journal", "rebind", "put", "settle"),
    ConvexBackend: (
        "fetch_context",
        "mark_begun",
        "post_message",
        "start_work",
        "mark_delivered",
    ),
    ConvexActions: ("set_status", "create_task", "put_document"),
    OpenClawGateway: ("ask",),
}


def boot() -> None:
    """Make one step deadly, then boot as any worker does."""
    moment, step, times = json.loads(os.environ[DIES])
    end = _End(step, times)
    for kind, names in STEPS.items():
        for name in names:
            setattr(kind, name, _deadly(getattr(kind, name), moment, end))
    main.boot()


class _End:
    """Knows when the chosen step has come."""

    def __init__(self, step: str, times: int) -> None:
        self._step, self._left = step, times
        self._lock = threading.Lock()

    def comes_with(self, step: str) -> bool:
        """Count the step when it is the chosen one; say whether it is the last one."""
        with self._lock:
            if step != self._step:
                return False
            self._left -= 1
            return self._left == 0


def _deadly(effect: Callable[..., Any], moment: str, end: _End) -> Callable[..., Any]:
    @wraps(effect)
    def call(*arguments: Any, **named: Any) -> Any:
        stages = [one.stage for one in arguments if isinstance(one, Journal)]
        step = " ".join([effect.__name__, *stages])
        if moment == "before" and end.comes_with(step):
            _die()
        result = effect(*arguments, **named)
        if moment == "after" and not isinstance(result, NotClaimed) and end.comes_with(step):
            _die()
        return result

    return call


def _die() -> None:
    """End this process and Dramatiq's, which watches over it, at once and without a word."""
    if os.getpgrp() == os.getppid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
