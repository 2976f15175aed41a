"""Processes that end with whoever started them, however that one ended."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def dying_with_us() -> Callable[[], None]:
    """Make what lets the kernel send a child SIGTERM when this process is gone, however it went.

    To be run in the child right after the fork. Elsewhere than on Linux it does nothing. The kernel
    goes by the *thread* that started the child: start children from one that lives on.
    """
    parent = os.getpid()

    def begin() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # It died before the kernel knew.
            os._exit(1)

    return begin
