"""Plays a plan on the stage: the people and the troubles, then mending and waiting for the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx
import redis

from dispatcher.lab.proof.evidence import Assigned, Said
from dispatcher.lab.proof.plan import CREW, Opening, Plan, Saying
from dispatcher.lab.proof.stage import Stage
from dispatcher.lab.proof.striker import Striker
from dispatcher.lab.proof.timeline import Timeline
from dispatcher.ports import Clock

SETTLE_S: Final = 120.0
"""How long all that is open may take once nothing is broken any more."""

_SUPERVISE_EVERY_S: Final = 0.5
_TELL_EVERY_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.5
_QUIET_LOOKS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a proof is; ``waiting`` notifications are not delivered yet."""

    at_s: float
    said: int
    notifications: int
    waiting: int
    kills: int
    faults: int
    is_settling: bool


class Player:
    """Does what the plan says, and notes what was asked for.

    Attributes:
        said, assigned: What people did.
        striker: What was broken.
        began_ms: When it began.
    """

    def __init__(
        self, stage: Stage, plan: Plan, clock: Clock, tell: Callable[[Progress], None]
    ) -> None:
        self._stage = stage
        self._plan = plan
        self._clock = clock
        self._tell = tell
        self._timeline = Timeline()
        self._tasks: dict[int, str] = {}
        self._crews = {each.thread: each.crew for each in plan.openings}
        self._supervised_s = self._told_s = 0.0
        self._is_settling = False
        self.striker = Striker(stage, self._timeline, clock)
        self.said: list[Said] = []
        self.assigned: list[Assigned] = []
        self.began_ms = 0.0

    def play(self) -> None:
        """Play the whole plan; at the end everything that was broken is whole again."""
        self.began_ms = self._clock.now().timestamp() * 1000
        for opening in self._plan.openings:
            self._timeline.at(opening.at_s, lambda one=opening: self._open(one))  # type: ignore[misc]
        for saying in self._plan.sayings:
            self._timeline.at(saying.at_s, lambda one=saying: self._say(one))  # type: ignore[misc]
        for blow in self._plan.blows:
            self._timeline.at(blow.at_s, lambda one=blow: self.striker.strike(one))  # type: ignore[misc]
        self._timeline.begin()
        self._timeline.run(self._idle)
        self._stage.forget_backend_faults()

    def settle(self) -> bool:
        """Wait until nothing is open any more; False when that takes too long."""
        self._is_settling = True
        deadline_s = self._timeline.now_s + SETTLE_S
        quiet = 0

        def look() -> None:
            nonlocal quiet
            quiet = quiet + 1 if self._is_quiet() else 0
            if quiet < _QUIET_LOOKS:
                self._timeline.after(_LOOK_EVERY_S, look)

        self._timeline.after(0, look)
        self._timeline.run(self._idle, limit_s=deadline_s)
        return quiet >= _QUIET_LOOKS

    def _open(self, opening: Opening) -> None:
        human, agents = self._stage.stack.human, self._ids(opening.crew)
        task = human("create_task", title=f"Thread {opening.thread:03}")
        human("assign", task=task, agents=list(agents))
        self._tasks[opening.thread] = task
        self.assigned.append(Assigned(task=task, agents=agents))

    def _say(self, saying: Saying) -> None:
        task = self._tasks[saying.thread]
        message = self._stage.stack.human("post_message", task=task, content=saying.text(task))
        to = saying.mentions or self._crews[saying.thread]
        self.said.append(
            Said(
                word=saying.word,
                message=message,
                task=task,
                agents=self._ids(to),
                is_mention=bool(saying.mentions),
            )
        )

    def _ids(self, places: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self._stage.agents[CREW[place]] for place in places)

    def _idle(self) -> None:
        now_s = self._timeline.now_s
        if now_s >= self._supervised_s + _SUPERVISE_EVERY_S:
            self._supervised_s = now_s
            self.striker.supervise()
        if now_s >= self._told_s + _TELL_EVERY_S:
            self._told_s = now_s
            self._tell(self._progress())

    def _progress(self) -> Progress:
        found = self._stage.stack.human("progress")
        return Progress(
            at_s=self._timeline.now_s,
            said=len(self.said),
            notifications=found["notifications"],
            waiting=found["waiting"],
            kills=self.striker.kills,
            faults=self.striker.faults,
            is_settling=self._is_settling,
        )

    def _is_quiet(self) -> bool:
        try:
            is_idle = not self._stage.store.open()
        except redis.RedisError:
            return False
        try:
            return is_idle and self._stage.stack.human("progress")["waiting"] == 0
        except httpx.HTTPError:
            return False
