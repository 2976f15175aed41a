"""What all fakes of one test write down, in the order in which it happened."""

from collections.abc import Callable

Trouble = Exception | Callable[[], None]


class Diary:
    """The calls of all ports in order, and the troubles that await them.

    Attributes:
        calls: One word per call, such as ``post_message``.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._troubles: dict[str, list[Trouble | None]] = {}

    def prepare(self, call: str, *troubles: Trouble | None) -> None:
        """Let the next calls of that name raise, or run something first; None lets one pass."""
        self._troubles.setdefault(call, []).extend(troubles)

    def note(self, call: str) -> None:
        """Write a call down, and let it meet its trouble."""
        self.calls.append(call)
        waiting = self._troubles.get(call)
        trouble = waiting.pop(0) if waiting else None
        if isinstance(trouble, Exception):
            raise trouble
        if trouble is not None:
            trouble()
