"""The rounds of the runtime's smaller loops."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from dispatcher.adapters.redis.connection import check_server
from dispatcher.domain.errors import DispatcherError
from dispatcher.domain.world import CircuitState
from dispatcher.flows.audit import audit_once
from dispatcher.flows.sweep import sweep_once
from dispatcher.flows.sync import sync_once
from dispatcher.runtime.leadership import STAND_BY, Leadership
from dispatcher.runtime.operations import operating
from dispatcher.runtime.vitals import Vitals
from dispatcher.wiring import Parts, milliseconds

_AUDIT_GAP: Final = timedelta(seconds=10)
_AUDIT: Final = timedelta(minutes=3)
_POLL_TAKES: Final = timedelta(seconds=1)
_AUDIT_LOOK: Final = timedelta(seconds=5)
_UNSWEPT_ROUNDS: Final = 2
_SYNC_AGAIN: Final = timedelta(seconds=10)
_GATEWAY_ROUND: Final = timedelta(seconds=1)
_GATEWAY_LOOK: Final = timedelta(seconds=15)
_GATEWAY_LOOK_AGAIN: Final = timedelta(seconds=2)

_log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps the mailboxes every ``DELIVERY_SWEEP_MS``.

    That is the leader's work. But its death must not add to that of a worker: a standby sweeps when
    nobody has for two rounds, however long the dead leader's lease still runs.
    """

    def __init__(
        self, parts: Parts, leadership: Leadership, *, on_mismatch: Callable[[], None]
    ) -> None:
        self._parts = parts
        self._leadership = leadership
        self._on_mismatch = on_mismatch
        self.every = milliseconds(parts.settings.delivery_sweep_ms)

    def round(self) -> timedelta:
        """Sweep once, in a standby only when nobody else does."""
        parts, term = self._parts, self._leadership.term()
        swept = sweep_once(
            mailboxes=parts.mailboxes,
            bell=parts.bell,
            tally=parts.tally,
            term=term or 0,
            unswept=timedelta(0) if term else _UNSWEPT_ROUNDS * self.every,
        )
        if swept.spoiled:
            self._on_mismatch()
        return self.every


class Auditor:
    """Compares the backend's list with the store, every few minutes."""

    def __init__(self, parts: Parts, vitals: Vitals, leadership: Leadership) -> None:
        self._parts = parts
        self._vitals = vitals
        self._leadership = leadership
        self._not_before = parts.clock.monotonic() + _AUDIT_GAP.total_seconds()

    def round(self) -> timedelta:
        """Audit once, when this runtime leads; sooner than usual when it was woken."""
        parts, term, now = self._parts, self._leadership.term(), self._parts.clock.monotonic()
        if term is None or now < self._not_before:
            return _AUDIT_LOOK
        self._not_before = now + _AUDIT_GAP.total_seconds()
        audited = audit_once(
            backend=parts.backend,
            mailboxes=parts.mailboxes,
            books=parts.books,
            bell=parts.bell,
            tally=parts.tally,
            term=term,
            is_nothing_listed=self._vitals.nothing_was_listed(
                milliseconds(parts.settings.delivery_interval) + _POLL_TAKES
            ),
        )
        # Where something was wrong, it is looked at again soon.
        is_well = audited.unaccounted == 0 and audited.repaired.total() == 0
        return _AUDIT if is_well else _AUDIT_GAP


class AgentSync:
    """Reads the crew every ``AGENT_SYNC_INTERVAL``; a failure keeps the last roster."""

    def __init__(self, parts: Parts, vitals: Vitals, leadership: Leadership) -> None:
        self._parts = parts
        self._vitals = vitals
        self._leadership = leadership
        self._doubts = False

    def round(self) -> timedelta:
        """Sync once, when this runtime leads."""
        parts, term = self._parts, self._leadership.term()
        every = milliseconds(parts.settings.agent_sync_interval)
        if term is None or self._vitals.are_credentials_rejected():
            return STAND_BY
        try:
            with operating(parts.tally, parts.clock, "agent_sync.run"):
                synced = sync_once(
                    crew=parts.backend,
                    store=parts.roster,
                    tally=parts.tally,
                    clock=parts.clock,
                    term=term,
                    believes_nobody=self._doubts,
                )
        except DispatcherError as error:
            self._vitals.sync_failed(error)
            parts.tally.failed("sync")
            _log.warning("the crew keeps its last roster: %s", error, extra={"action": "sync"})
            return min(_SYNC_AGAIN, every)
        self._doubts = synced.is_doubted
        self._vitals.synced(synced)
        return min(_SYNC_AGAIN, every) if synced.is_doubted else every


class GatewayWatch:
    """Looks at the gateway: for health now and then, and to probe an open circuit.

    Every runtime may probe, one at a time: the lead of a dead leader keeps nobody waiting.
    """

    def __init__(self, parts: Parts, vitals: Vitals) -> None:
        self._parts = parts
        self._vitals = vitals
        self._was_ready: bool | None = None
        self._look_at = 0.0

    def round(self) -> timedelta:
        """Look when it is time to; while the circuit is open, tell the store what was found."""
        now, mailboxes = self._parts.clock.monotonic(), self._parts.mailboxes
        world = mailboxes.world()
        circuit = world.circuit
        is_due = circuit and circuit.state is CircuitState.OPEN and world.at >= circuit.probe_at
        is_probe = bool(is_due) and mailboxes.begin_probe()
        if not is_probe and now < self._look_at:
            return _GATEWAY_ROUND
        is_ready = self._look()
        self._look_at = now + (_GATEWAY_LOOK if is_ready else _GATEWAY_LOOK_AGAIN).total_seconds()
        if is_probe:
            is_well = is_ready and self._parts.gateway.accepts_token() is not False
            self._parts.bell.ring(mailboxes.admit(is_well=is_well))
        return _GATEWAY_ROUND

    def _look(self) -> bool:
        state = self._parts.gateway.look()
        self._vitals.gateway_seen(state)
        if state.is_ready != self._was_ready:
            if state.is_ready:
                _log.info("the gateway is ready", extra={"action": "gateway"})
            else:
                _log.warning("%s", state.problem, extra={"action": "gateway"})
        self._was_ready = state.is_ready
        return state.is_ready


class StoreKeeper:
    """Checks the store and writes the caps into it, now and then again: Redis may be replaced."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def round(self) -> timedelta:
        """Check once, and write the caps.

        Raises:
            StoreUnusable: A person has to change something; the process must end.
        """
        settings = self._parts.settings
        check_server(self._parts.redis, allow_volatile=settings.allow_volatile_redis)
        self._parts.mailboxes.open()
        self._parts.mailboxes.set_limits(
            cap=settings.delivery_max_concurrent_sessions, agent_cap=settings.agent_cap
        )
        return timedelta(seconds=15)
