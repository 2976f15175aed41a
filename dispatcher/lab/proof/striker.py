"""Makes the troubles of a plan on the stage, mends them, and keeps a record of each."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx
import redis

from dispatcher.lab.proof.evidence import LeadGap, Strike
from dispatcher.lab.proof.plan import Blow, Trouble
from dispatcher.lab.proof.stage import Process, Stage, State
from dispatcher.lab.proof.timeline import Timeline
from dispatcher.ports import Clock

START_AGAIN_S: Final = 1.0
"""As a supervisor would."""

_LOOK_AGAIN_S: Final = 0.2
_POSTPONED_S: Final = 1.0
_LEAD_LIMIT_S: Final = 60.0
_THAW_GRACE_S: Final = 5.0
_KILLS: Final = frozenset({Trouble.WORKER_KILLED, Trouble.RUNTIME_KILLED})


@dataclass(slots=True)
class Record:
    """A strike while it is not over yet."""

    trouble: Trouble
    process: str
    at_ms: float
    until_ms: float | None = None
    held: frozenset[str] = frozenset()

    def close(self) -> Strike:
        """Return what is known of it."""
        return Strike(
            trouble=self.trouble,
            process=self.process,
            at_ms=self.at_ms,
            until_ms=self.until_ms,
            held=self.held,
        )


class Striker:
    """Strikes, and mends through the timeline.

    Attributes:
        kills: How many processes were killed.
        faults: How many other troubles were made.
        gaps: How long nobody led after the kill of a leader.
        ended_by_themselves: Processes that ended without being told to.
    """

    def __init__(self, stage: Stage, timeline: Timeline, clock: Clock) -> None:
        self._stage = stage
        self._timeline = timeline
        self._clock = clock
        self._records: list[Record] = []
        self._of_the_killed: set[str] = set()
        self.kills = 0
        self.faults = 0
        self.gaps: list[LeadGap] = []
        self.ended_by_themselves: list[str] = []

    @property
    def strikes(self) -> tuple[Strike, ...]:
        """Return all strikes so far."""
        return tuple(record.close() for record in self._records)

    def count(self) -> Counter[str]:
        """Count what was struck so far, by kind."""
        return Counter(record.trouble.value for record in self._records)

    def strike(self, blow: Blow) -> None:
        """Make one trouble."""
        self.faults += blow.trouble not in _KILLS
        match blow.trouble:
            case Trouble.WORKER_KILLED | Trouble.RUNTIME_KILLED:
                self._on_process(blow, self._kill)
            case Trouble.WORKER_FROZEN | Trouble.RUNTIME_FROZEN:
                self._on_process(blow, self._freeze)
            case Trouble.REDIS_KILLED | Trouble.REDIS_STOPPED:
                self._restart_redis(blow)
            case Trouble.REDIS_FLUSHED:
                self._flush(blow)
            case Trouble.GATEWAY_AWAY | Trouble.GATEWAY_DRAINING:
                self._trouble_gateway(blow)
            case _:
                self._trouble_backend(blow)

    def supervise(self) -> None:
        """Start what ended by itself."""
        for process in self._stage.processes:
            if process.has_ended:
                told = f"{process.name} with exit code {process.child.exit_code}"
                self.ended_by_themselves.append(told)
                process.kill()
                self._timeline.after(START_AGAIN_S, process.start)

    def _on_process(self, blow: Blow, act: Callable[[Blow, Process], None]) -> None:
        process = self._choose(blow)
        if process is None:
            self._postpone(blow)
        else:
            act(blow, process)

    def _choose(self, blow: Blow) -> Process | None:
        is_worker = blow.trouble in {Trouble.WORKER_KILLED, Trouble.WORKER_FROZEN}
        family = self._stage.workers if is_worker else self._stage.runtimes
        if blow.wants_leader:
            leader = next(filter(self._stage.leads, family), None)
            if leader is not None:
                return leader
        turned: Sequence[Process] = [*family[blow.target :], *family[: blow.target]]
        return next((each for each in turned if each.state is State.UP), None)

    def _kill(self, blow: Blow, process: Process) -> None:
        did_lead = bool(process.url) and self._stage.leads(process)
        process.kill()
        self.kills += 1
        record = self._record(blow.trouble, process.name)
        self._note_held(record, process)
        if did_lead:
            self._watch_lead(process.name, record.at_ms)

        def start() -> None:
            process.start()
            record.until_ms = self._now_ms()

        self._timeline.after(START_AGAIN_S, start)

    def _freeze(self, blow: Blow, process: Process) -> None:
        process.freeze(limit_s=blow.lasting_s + _THAW_GRACE_S)
        record = self._record(blow.trouble, process.name)
        self._note_held(record, process)

        def thaw() -> None:
            process.thaw()
            record.until_ms = self._now_ms()

        self._timeline.after(blow.lasting_s, thaw)

    def _note_held(self, record: Record, process: Process) -> None:
        """Note what the process held: nobody else can take that before its lease is over."""
        if process.url:
            return
        was_killed = record.trouble in _KILLS
        try:
            claims = self._stage.store.held()
        except redis.RedisError:
            self._timeline.after(_LOOK_AGAIN_S, lambda: self._note_held(record, process))
            return
        fresh = [one for one in claims if one.token not in self._of_the_killed]
        held = [one for one in fresh if process.is_home_of(one, was_killed=was_killed)]
        if was_killed:
            self._of_the_killed.update(one.token for one in held)
        record.held = frozenset(one.delivery for one in held)

    def _watch_lead(self, name: str, at_ms: float) -> None:
        waited_s = (self._now_ms() - at_ms) / 1000
        if any(map(self._stage.leads, self._stage.runtimes)):
            self.gaps.append(LeadGap(process=name, at_ms=at_ms, led_ms=self._now_ms()))
        elif waited_s > _LEAD_LIMIT_S:
            self.gaps.append(LeadGap(process=name, at_ms=at_ms, led_ms=None))
        else:
            self._timeline.after(_LOOK_AGAIN_S, lambda: self._watch_lead(name, at_ms))

    def _restart_redis(self, blow: Blow) -> None:
        server = self._stage.redis
        if server.pid is None:
            self._postpone(blow)
            return
        record = self._record(blow.trouble, "redis")
        if blow.trouble is Trouble.REDIS_KILLED:
            server.kill()
        else:
            server.stop()

        def start() -> None:
            server.start()
            record.until_ms = self._now_ms()

        self._timeline.after(blow.lasting_s, start)

    def _flush(self, blow: Blow) -> None:
        try:
            self._stage.store.forget_all()
        except redis.RedisError:
            self._postpone(blow)
        else:
            self._record(blow.trouble, "redis")

    def _trouble_gateway(self, blow: Blow) -> None:
        path = "away" if blow.trouble is Trouble.GATEWAY_AWAY else "drain"
        # While it is away it cannot be told to be away: that is the same trouble.
        with suppress(httpx.HTTPError):
            self._stage.call("gateway", f"/sandbox/{path}", {"seconds": blow.lasting_s})
            record = self._record(blow.trouble, "gateway")
            record.until_ms = record.at_ms + blow.lasting_s * 1000

    def _trouble_backend(self, blow: Blow) -> None:
        fault = {"action": blow.action, "kind": blow.kind, "times": blow.count}
        fault |= {"delay_s": blow.lasting_s} if blow.lasting_s else {}
        self._stage.call("backend", "/human/faults", fault)

    def _postpone(self, blow: Blow) -> None:
        self.faults -= blow.trouble not in _KILLS
        self._timeline.after(_POSTPONED_S, lambda: self.strike(blow))

    def _record(self, trouble: Trouble, process: str) -> Record:
        record = Record(trouble, process, self._now_ms())
        self._records.append(record)
        return record

    def _now_ms(self) -> float:
        return self._clock.now().timestamp() * 1000
