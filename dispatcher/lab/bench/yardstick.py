"""How fast the machine is while it is measured: the same small piece of work, again and again.

A core that it shares with others can be half as fast as a minute before, and no load average tells.
"""

import json
import time
from typing import Final

REFERENCE_S: Final = 0.0036
"""What the piece takes on the machine for which the budgets were written, with both cores busy."""

_DOCUMENT: Final = {
    "rows": [{"id": number, "name": "n" * 20, "value": number * 1.5} for number in range(50)]
}


class Yardstick:
    """Measures now and then; its own cost is a few milliseconds a look."""

    def __init__(self) -> None:
        self._took_s: list[float] = []

    def look(self) -> None:
        """Do the piece of work once and note the CPU time that it took."""
        began = time.thread_time()
        for _ in range(30):
            json.loads(json.dumps(_DOCUMENT))
            sum(number * number for number in range(500))
        self._took_s.append(time.thread_time() - began)

    def speed(self) -> float:
        """Return the mean speed since the beginning; 1 is that of the reference."""
        if not self._took_s:
            return 1.0
        return REFERENCE_S * len(self._took_s) / sum(self._took_s)
