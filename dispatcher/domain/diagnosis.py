"""What keeps work from going on, read off the shared state: each problem with what to do about it.

The runtime, the command line and the console all say the same, because they all ask here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.domain.ids import AgentId
from dispatcher.domain.standing import SILENT, Level, Problem, Standing
from dispatcher.domain.world import ALL, CircuitState, World

_FRESH: Final = timedelta(minutes=15)
"""Failures that are older than this say nothing of now."""
_LONG_REST: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From when on work that waits or fails is a problem.

    Attributes:
        failures: Attempts that failed in a row.
        wait: The longest wait in line.
    """

    failures: int = 10
    wait: timedelta = timedelta(minutes=10)


def diagnose(
    standing: Standing,
    world: World,
    *,
    oldest_wait: timedelta,
    dead: int,
    limits: Limits,
    names: Mapping[AgentId, str] | None = None,
) -> tuple[Problem, ...]:
    """Say what keeps work waiting although this process is well; the worst comes first.

    Args:
        standing: Processes and counts.
        world: What deliveries wait for outside.
        oldest_wait: The longest wait in line.
        dead: Dead letters that are kept.
        limits: From when on something is a problem.
        names: What people call the agents.
    """
    found = [
        *_of_gateway(world),
        *_of_backend(world),
        *_of_workers(standing),
        *_of_failures(standing, limits),
        *_of_waits(standing, oldest_wait, limits),
        *_of_rests(world, names or {}),
        *_of_pauses(world, names or {}),
        *_of_dead(dead),
    ]
    order = list(Level)
    return tuple(sorted(found, key=lambda problem: order.index(problem.level)))


def runtime_is_silent(standing: Standing) -> Problem | None:
    """Say that no runtime leads, for whoever looks from outside."""
    if standing.runtimes == 0:
        return Problem(
            text="No runtime lives: nothing new is looked for, and nobody sweeps.",
            remedy="Start one with `dispatcher run`, or `make up`.",
            runbook="poll-stopped",
        )
    if standing.report is None:
        return Problem(
            text="The leading runtime has told nothing for half a minute.",
            remedy="Look at its log; a standby takes over within seconds if it has died.",
            level=Level.DEGRADED,
            runbook="poll-stopped",
        )
    return None


def _of_gateway(world: World) -> Iterable[Problem]:
    circuit = world.circuit
    if circuit is not None and circuit.state is CircuitState.OPEN:
        seconds = round((world.at - circuit.since).total_seconds())
        yield Problem(
            text=f"Nobody asks the gateway ({circuit.cause}, for {seconds} s): it is probed again "
            "and again, and asked as soon as it is well.",
            remedy="Look at the gateway's log; `dispatcher doctor` tells whether it takes our "
            "token.",
            runbook="circuit-open",
        )


def _of_backend(world: World) -> Iterable[Problem]:
    if world.stop is not None:
        yield Problem(
            text=f"Convex is not called ({world.stop}): tried again every minute.",
            remedy="Compare ACCOUNT_ID and SERVICE_TOKEN with the account's settings.",
            runbook="poll-stopped",
        )


def _of_workers(standing: Standing) -> Iterable[Problem]:
    live = standing.live_workers()
    if not live:
        yield Problem(
            text=f"No worker has given a sign of life for {SILENT.total_seconds():.0f} s: nothing "
            "is delivered.",
            remedy="Start one with `dispatcher worker`, or `make up`.",
            level=Level.DEGRADED,
            runbook="no-progress",
        )
    threads = sum(worker.threads for worker in live)
    if live and threads < standing.cap:
        yield Problem(
            text=f"The workers have {threads} threads for {standing.cap} turns at once.",
            remedy="Raise WORKER_THREADS or start more workers, or lower "
            "DELIVERY_MAX_CONCURRENT_SESSIONS.",
            level=Level.NOTE,
            runbook="oldest-waiting",
        )


def _of_failures(standing: Standing, limits: Limits) -> Iterable[Problem]:
    asking = standing.asking
    is_fresh = asking.failed_at is None or standing.at - asking.failed_at < _FRESH
    if asking.failures >= limits.failures and is_fresh:
        yield Problem(
            text=f"{asking.failures} attempts in a row have failed, the last with {asking.cause}.",
            remedy="Look at one of them with `dispatcher explain ID`, and at the gateway's log.",
            level=Level.DEGRADED,
            runbook="error-budget",
        )


def _of_waits(standing: Standing, oldest_wait: timedelta, limits: Limits) -> Iterable[Problem]:
    if oldest_wait >= limits.wait:
        minutes = oldest_wait.total_seconds() / 60
        yield Problem(
            text=f"The longest wait in line is {minutes:.0f} minutes, with {standing.cap} turns "
            "at once.",
            remedy="`dispatcher mailboxes --waiting` tells why each of them waits.",
            level=Level.DEGRADED,
            runbook="oldest-waiting",
        )


def _of_rests(world: World, names: Mapping[AgentId, str]) -> Iterable[Problem]:
    for rest in world.rests:
        # A provider that throttles is left alone for seconds, again and again: that passes.
        is_long = rest.until - rest.since >= _LONG_REST
        yield Problem(
            text=f"Agent {names.get(rest.agent, rest.agent)} rests until {rest.until:%H:%M:%S} "
            f"UTC: {rest.cause}.",
            remedy="Look at the model's provider and the agent's settings at the gateway.",
            level=Level.DEGRADED if is_long else Level.NOTE,
            runbook="agent-rests",
        )


def _of_pauses(world: World, names: Mapping[AgentId, str]) -> Iterable[Problem]:
    for what, since in world.paused:
        yield Problem(
            text=f"An operator paused {named(what, names)} at {_clock(since, world.at)}.",
            remedy=f"`dispatcher resume {_option(what, names)}` lets it go on.",
            level=Level.NOTE,
            runbook="something-waits",
        )


def _of_dead(dead: int) -> Iterable[Problem]:
    if dead:
        are = "delivery was given up and is" if dead == 1 else "deliveries were given up and are"
        yield Problem(
            text=f"{dead} {are} kept for you.",
            remedy="`dispatcher dead-letters list --group` tells why; revive or discard them.",
            level=Level.NOTE,
            runbook="dead-letters",
        )


def named(what: str, names: Mapping[AgentId, str]) -> str:
    """Say what is paused so that people know it."""
    kind, _, rest = what.partition(":")
    if kind == "agent":
        return f"agent {names.get(AgentId(rest), rest)}"
    return "everything" if what == ALL else f"conversation {rest}"


def _option(what: str, names: Mapping[AgentId, str]) -> str:
    kind, _, rest = what.partition(":")
    name = names.get(AgentId(rest), rest) if kind == "agent" else rest
    return f"--{kind} {name}" if rest else "--all"


def _clock(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M:%S} UTC" if now - at < timedelta(hours=20) else f"{at:%Y-%m-%d %H:%M} UTC"
