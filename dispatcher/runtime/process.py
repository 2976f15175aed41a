"""The runtime process: put together, run until told to stop, take apart."""

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Final

from dispatcher.adapters.directory import SharedDirectory
from dispatcher.adapters.redis.connection import server_state
from dispatcher.adapters.redis.leader import RedisLead
from dispatcher.adapters.store_metrics import Shared, StoreCollector
from dispatcher.domain.errors import StoreError, StoreUnusable
from dispatcher.runtime.health import Health
from dispatcher.runtime.heartbeats import HeartbeatClock
from dispatcher.runtime.leadership import LEASE, Leadership
from dispatcher.runtime.loops import AgentSync, Auditor, GatewayWatch, StoreKeeper, Sweeper
from dispatcher.runtime.poller import Poller
from dispatcher.runtime.profiles import ProfileSync
from dispatcher.runtime.restarts import RestartRequests, RestartWatch
from dispatcher.runtime.status import StatusReports
from dispatcher.runtime.supervisor import Loop, Round, Supervisor
from dispatcher.runtime.vitals import Vitals
from dispatcher.settings import Settings
from dispatcher.web.agents import BODY_LIMIT, AgentSide
from dispatcher.web.app import build_app
from dispatcher.web.console import ConsoleSide
from dispatcher.web.limits import Budget
from dispatcher.web.serving import make_server
from dispatcher.wiring import Parts, milliseconds, wire

_WEB_THREADS: Final = 12
"""A connection that neither sends nor takes anything for so long is closed."""
HANGS: Final = 70
"""The exit code of a process whose loops hang (``EX_SOFTWARE``)."""
_HURRIED: Final = 1
"""The exit code after a second signal."""
_ONE_SIGNAL_S: Final = 1.0
"""A supervisor may signal a process and its parent, which passes it on: that is one signal."""
_LAST_WORDS_S: Final = 5.0
_STOP_WITHIN: Final = timedelta(seconds=10)
_RETRY: Final = timedelta(seconds=2)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runtime:
    """What runs, and is taken apart in the end."""

    parts: Parts
    leadership: Leadership
    reports: StatusReports
    supervisor: Supervisor
    server: Any

    def start(self) -> None:
        threading.Thread(target=self.server.run, name="web", daemon=True).start()
        with suppress(StoreError):
            # Before the poller asks for it; with Redis away the loop finds out later.
            self.leadership.round()
        self.supervisor.start(on_hopeless=_give_up_hanging)

    def stop(self) -> None:
        """Stop looking for work first, and say that we are gone last."""
        self.supervisor.stop(within=_STOP_WITHIN)
        others = self.leadership.resign()
        self.server.close()
        self.reports.leave(others=others)
        self.parts.close()


def run(settings: Settings) -> int:
    """Run the runtime process until SIGTERM or SIGINT; return its exit code.

    Raises:
        OSError: The port cannot be bound.
        ValueError: The host is not one.
        StoreUnusable: Redis may not be used as it is; found out at the start or later.
    """
    # Not an event: a signal handler that sets one deadlocks when it interrupts the wait for it.
    ends: SimpleQueue[None] = SimpleQueue()
    fatal: list[StoreUnusable] = []

    def end() -> None:
        ends.put(None)

    def give_up(error: StoreUnusable) -> None:
        fatal.append(error)
        end()

    hurries_from = 0.0
    is_told = False

    def stop(signum: int, _frame: FrameType | None) -> None:
        nonlocal hurries_from, is_told
        if is_told:
            if time.monotonic() >= hurries_from:
                os._exit(_HURRIED)
            return
        is_told, hurries_from = True, time.monotonic() + _ONE_SIGNAL_S
        _log.info("stopping on %s", signal.Signals(signum).name, extra={"action": "stop"})
        end()

    # First of all: a stop during the start must be a clean one as well.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    runtime = _assemble(settings, give_up, end=end)
    runtime.start()
    _log.info(
        "runtime %s serves account %s on http://%s:%d",
        runtime.parts.version,
        settings.account_id,
        settings.health_host,
        settings.health_port,
        extra={"action": "start"},
    )
    _wait(ends)
    runtime.stop()
    _log.info("stopped", extra={"action": "stop"})
    if fatal:
        raise fatal[0]
    return 0


def _wait(ends: "SimpleQueue[None]") -> None:
    """Wait for an end, with a limit: a signal just before a wait without one goes unheard."""
    while True:
        with suppress(Empty):
            return ends.get(timeout=1)


def _give_up_hanging(loops: tuple[str, ...]) -> None:
    """End at once: what hangs cannot be stopped in good order, and nothing is lost by it."""
    # Whoever hangs may hang on the log itself.
    end = threading.Timer(_LAST_WORDS_S, os._exit, (HANGS,))
    end.daemon = True
    end.start()
    _log.critical(
        "%s make no progress; the process ends, to be started again",
        ", ".join(loops),
        extra={"action": "stop"},
    )
    logging.shutdown()
    os._exit(HANGS)


def _assemble(
    settings: Settings, give_up: Callable[[StoreUnusable], None], *, end: Callable[[], None]
) -> _Runtime:
    parts = wire(settings)
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    lead = RedisLead(parts.mailboxes.steps, holder=holder, lease=LEASE)
    leadership = Leadership(lead, parts.clock)
    vitals = Vitals(parts, leadership)
    health = Health(parts, vitals)
    _expose(parts, vitals)
    loop = partial(_loop, parts, give_up)
    audit_loop = loop("audit", Auditor(parts, vitals, leadership).round)
    poller = Poller(parts, vitals, leadership, on_mismatch=audit_loop.wake.set)
    poll_loop = loop("poll", poller.round)
    every = milliseconds(settings.health_check_interval)
    reports = StatusReports(
        parts.backend, health, leadership, clock=parts.clock, every=every,
        on_change=parts.tally.changed_status,
    )  # fmt: skip
    requests = RestartRequests(
        parts.backend,
        parts.restarts,
        running=vitals.versions,
        clock=parts.clock,
        every=every if settings.upgrade_mode == "exit" else None,
        may_ask=lambda: leadership.term() is not None and not vitals.are_credentials_rejected(),
    )
    beats = HeartbeatClock(parts, leadership, is_gateway_ready=vitals.is_gateway_ready)
    supervisor = vitals.supervisor = Supervisor((
        loop("lead", leadership.round),
        loop("store", StoreKeeper(parts).round),
        poll_loop,
        loop("sweep", Sweeper(parts, leadership, on_mismatch=audit_loop.wake.set).round),
        audit_loop,
        loop("status", reports.round),
        loop("requests", requests.round),
        loop("restart", RestartWatch(parts.restarts, end).round),
        loop("sync", AgentSync(parts, vitals, leadership).round),
        loop("heartbeats", beats.round),
        loop("profiles", ProfileSync(parts, vitals, leadership).round),
        loop("gateway", GatewayWatch(parts, vitals).round),
        loop("report", health.round),
    ))  # fmt: skip

    def wake() -> None:
        poller.pace.quicken()
        poll_loop.wake.set()

    return _Runtime(
        parts=parts,
        leadership=leadership,
        reports=reports,
        supervisor=supervisor,
        server=_make_server(parts, health, wake),
    )


def _expose(parts: Parts, vitals: Vitals) -> None:
    """Add to the metrics what is looked up when somebody scrapes."""

    def look() -> Shared:
        return Shared(
            parts.lookout.stats(), parts.lookout.world(), parts.standing.standing(),
            server_state(parts.glance),
        )  # fmt: skip

    parts.registry.register(StoreCollector(look))
    parts.tally.watch("leader", vitals.leads)
    parts.tally.watch("gateway_ready", vitals.is_gateway_ready)
    parts.tally.watch("credentials_rejected", vitals.are_credentials_rejected)
    parts.tally.watch("loops_stuck", lambda: len(vitals.stuck()))
    parts.tally.watch("poll_patience_seconds", lambda: vitals.longest_silence().total_seconds())


def _make_server(parts: Parts, health: Health, wake: Callable[[], None]) -> Any:  # noqa: ANN401 - waitress has no public type
    settings = parts.settings
    agents = AgentSide(
        read_pass=parts.passes.read,
        actions=parts.actions,
        directory=SharedDirectory(parts.roster, parts.actions, parts.clock),
        tally=parts.tally,
        clock=parts.clock,
        budget=Budget(parts.clock),
    )
    app = build_app(
        health,
        registry=parts.registry,
        wake=wake,
        agents=agents,
        console=ConsoleSide(
            survey=parts.survey,
            mailboxes=parts.overlook,
            records=parts.records,
            controls=parts.controls,
            roster=parts.roster,
            backend=parts.backend,
            clock=parts.clock,
            limits=parts.limits,
            version=parts.version,
            account=settings.account_id,
            token=settings.console_token,
            hosts=settings.console_host_names,
            sandbox=(settings.sandbox_url, settings.account_id) if settings.sandbox_url else None,
        ),
    )
    return make_server(
        app,
        host=settings.health_host,
        port=settings.health_port,
        threads=_WEB_THREADS,
        body_limit=BODY_LIMIT,
    )


def _loop(
    parts: Parts, give_up: Callable[[StoreUnusable], None], name: str, one_round: Round
) -> Loop:
    return Loop(
        name,
        one_round,
        clock=parts.clock,
        retry_after=_RETRY,
        on_failure=parts.tally.failed,
        on_fatal=give_up,
    )
