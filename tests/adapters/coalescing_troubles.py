"""What can strike a step of a history, and the ports whose calls are the steps."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.journal import Journal


class What(StrEnum):
    """What strikes a step; the words stand in the story of a history that failed."""

    MESSAGE = "a person writes a message"
    POLL = "another poll looks and puts"
    LIST = "another poll lists"
    PUT = "the other poll puts what it listed"
    KILL = "the process is killed"
    LOSE = "the answer is lost"
    REFUSE = "the call is refused"
    FREEZE = "the process freezes until others have finished everything"
    HANG = "the process is killed, and what it sent is still under way"
    ARRIVE = "what was under way arrives"
    AUDIT = "an audit compares the books"


@dataclass(frozen=True)
class Trouble:
    """Something that strikes one step, before its effect or inside it.

    Attributes:
        at: The number of the step, or its name: the first one of that name.
    """

    what: What
    at: int | str
    inside: bool = False


class Killed(BaseException):
    """The process is gone; no flow may see this."""


class Port:
    """A port whose every call is a step."""

    def __init__(
        self,
        port: object,
        take: Callable[..., Any],
        *,
        lost: type[Exception],
        refused: type[Exception],
    ) -> None:
        self._port, self._take = port, take
        self._errors = {What.LOSE: lost, What.REFUSE: refused}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            stages = [one.stage for one in arguments if isinstance(one, Journal)]
            effect = partial(getattr(self._port, name), *arguments, **named)
            return self._take(" ".join([name, *stages]), effect, self._errors)

        return call


class Grip:
    """See ``dispatcher.ports.Hold``: it knows when the world has ended its lease."""

    def __init__(self, is_lost: Callable[[], bool]) -> None:
        self._is_lost = is_lost

    def check(self) -> None:
        if self._is_lost():
            raise LeaseLost("the lease was not confirmed in time")
