"""What the runtime knows of its own health, and how it tells it."""

import resource
import threading
from datetime import datetime, timedelta
from typing import Any

from dispatcher.adapters.gateway import GatewayState
from dispatcher.domain.errors import StoreError
from dispatcher.domain.redact import short_error
from dispatcher.domain.upgrade import Versions
from dispatcher.domain.world import CircuitState, World
from dispatcher.flows.sync import Synced
from dispatcher.ports import Stats
from dispatcher.runtime.leadership import Leadership
from dispatcher.runtime.supervisor import Supervisor
from dispatcher.wiring import Parts

_TOLD = 5
_RSS_UNIT = 1024
"""Linux counts the resident set in KiB."""


class Vitals:
    """Facts noted by the loops, read by the web app. See ``dispatcher.web.app.Vitals``."""

    def __init__(self, parts: Parts, leadership: Leadership) -> None:
        self._parts = parts
        self._leadership = leadership
        self._lock = threading.Lock()
        self._started = parts.clock.monotonic()
        self._last_poll: datetime | None = None
        self._poll_failures = 0
        self._last_error: tuple[datetime, str] | None = None
        self._credentials: str | None = None
        self._gateway = GatewayState(is_ready=False, version=None, problem="Not looked at yet.")
        self._synced: tuple[datetime, Synced] | None = None
        self._sync_error: str | None = None
        self._sync_fails_since: datetime | None = None
        self._profile_problems: tuple[str, ...] = ()
        self.supervisor: Supervisor | None = None

    def are_credentials_rejected(self) -> bool:
        """Say whether the backend did not accept us when it was last asked."""
        with self._lock:
            return self._credentials is not None

    def poll_succeeded(self) -> None:
        """Note that the backend listed its rows."""
        with self._lock:
            self._last_poll = self._parts.clock.now()
            self._poll_failures = 0
            self._credentials = None

    def poll_failed(self, error: Exception) -> None:
        """Note that a poll did not succeed."""
        with self._lock:
            self._poll_failures += 1
            self._last_error = (self._parts.clock.now(), short_error(str(error)))

    def credentials_rejected(self, text: str) -> None:
        """Note that the backend does not accept us."""
        with self._lock:
            self._credentials = short_error(text)

    def gateway_seen(self, state: GatewayState) -> None:
        """Note how the gateway is."""
        with self._lock:
            self._gateway = state

    def synced(self, synced: Synced) -> None:
        """Note that the crew was heard of."""
        with self._lock:
            self._synced = (self._parts.clock.now(), synced)
            self._sync_error = self._sync_fails_since = None

    def profiles_synced(self, problems: tuple[str, ...]) -> None:
        """Note what could not be written of the agents' profiles."""
        with self._lock:
            self._profile_problems = problems

    def sync_failed(self, error: Exception) -> None:
        """Note that the crew could not be heard of; the last roster stays."""
        with self._lock:
            self._sync_error = short_error(str(error))
            self._sync_fails_since = self._sync_fails_since or self._parts.clock.now()

    def stuck(self) -> tuple[str, ...]:
        """Name the loops that make no progress; none is the sign of life."""
        return self.supervisor.stuck() if self.supervisor else ()

    def is_well(self) -> bool:
        """Say whether nothing keeps this runtime from being ready."""
        return not self.problems()

    def report(self) -> dict[str, Any]:
        """Return what the backend shows of this runtime; all of it, for it is replaced as a whole."""
        settings = self._parts.settings
        return {
            "dropletId": settings.droplet_id,
            "ipAddress": settings.droplet_ip,
            "region": settings.droplet_region,
            "lastHealthCheck": _ms(self._parts.clock.now()),
            "openclawVersion": self._openclaw_version(),
            "runtimeServiceVersion": self._parts.version,
        }

    def problems(self) -> tuple[str, ...]:
        """Say in sentences what keeps this runtime from being ready."""
        return self._problems(self._stats(), self._world())

    def _problems(self, stats: Stats | None, world: World | None) -> tuple[str, ...]:
        found = [f"The loop {name} makes no progress." for name in self.stuck()]
        found += self._store_problems(stats)
        found += self.supervisor.troubles() if self.supervisor else ()
        with self._lock:
            if self._credentials is not None:
                hint = "compare ACCOUNT_ID and SERVICE_TOKEN with the account's settings"
                found.append(f"Convex rejects the credentials ({hint}): {self._credentials}")
            elif self._leadership.term() is None:
                # A standby does not list; whether the leader can is told by the leader.
                pass
            elif self._last_poll is None:
                found.append("Convex has not been listed yet.")
            elif self._parts.clock.now() - self._last_poll > self._longest_silence():
                found.append("Convex could not be listed for three poll intervals.")
            if self._is_sync_late():
                found.append("The list of agents could not be read for three intervals.")
            if not self._gateway.is_ready:
                found.append(f"Gateway: {self._gateway.problem}")
            found += _troubles(world)
        return tuple(found)

    def _is_sync_late(self) -> bool:
        """Say whether the leader has heard nothing of the crew for long; a standby does not ask."""
        if self._leadership.term() is None or self._sync_fails_since is None:
            return False
        every = timedelta(milliseconds=self._parts.settings.agent_sync_interval)
        return self._parts.clock.now() - self._sync_fails_since > 3 * every

    def _store_problems(self, stats: Stats | None) -> list[str]:
        trouble = self._leadership.trouble()
        if stats is None:
            return ["Redis cannot be reached."]
        if trouble is not None:
            return [f"Redis can be read but not written to ({trouble})."]
        return [] if self._leadership.is_known() else ["It is not known yet which runtime leads."]

    def _held_up(self, world: World | None) -> list[str]:
        """Say what waits although this process is ready: resting agents, pauses."""
        if world is None:
            return []
        found = [
            f"Agent {rest.agent} rests until {rest.until:%H:%M:%S} UTC: {rest.cause}."
            for rest in world.rests
        ]
        found += [f"An operator paused {what} at {at:%H:%M:%S} UTC." for what, at in world.paused]
        with self._lock:
            return found + [f"Profiles: {one}" for one in self._profile_problems[:_TOLD]]

    def is_gateway_ready(self) -> bool:
        """Say whether the gateway was ready when it was last looked at."""
        with self._lock:
            return self._gateway.is_ready

    def versions(self) -> Versions | None:
        """Return what runs here; None while the gateway has not told its version."""
        with self._lock:
            openclaw = self._gateway.version
        return Versions(openclaw=openclaw, runtime=self._parts.version) if openclaw else None

    def version(self) -> dict[str, str]:
        """Return the answer of ``/version``."""
        settings = self._parts.settings
        return {
            "runtimeServiceVersion": self._parts.version,
            "openclawVersion": self._openclaw_version(),
            "dropletId": settings.droplet_id,
            "region": settings.droplet_region,
        }

    def health(self) -> dict[str, Any]:
        """Return the answer of ``/health``; times are Unix milliseconds."""
        clock, settings = self._parts.clock, self._parts.settings
        stats, world = self._stats(), self._world()
        problems = [*self._problems(stats, world), *self._held_up(world)]
        return {
            "status": "degraded" if problems else "healthy",
            "problems": problems,
            "leads": self._leadership.term() is not None,
            "uptime": round(clock.monotonic() - self._started, 1),
            "versions": {
                "runtimeService": self._parts.version,
                "openclaw": self._openclaw_version(),
            },
            "infrastructure": {
                "dropletId": settings.droplet_id,
                "ipAddress": settings.droplet_ip,
                "region": settings.droplet_region,
            },
            "gateway": {"running": self._gateway.is_ready, "problem": self._gateway.problem},
            "delivery": self._delivery(),
            "agentSync": self._agent_sync(),
            "store": _store(stats),
            "memory": {"rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT},
            "timestamp": _ms(clock.now()),
        }

    def _delivery(self) -> dict[str, Any]:
        settings = self._parts.settings
        with self._lock:
            failed_at, text = self._last_error or (None, None)
            return {
                "running": self._last_poll is not None,
                "lastDelivery": _ms(self._last_poll),
                "consecutiveFailures": self._poll_failures,
                "lastErrorAt": _ms(failed_at),
                "lastErrorMessage": text,
                "config": {
                    "maxConcurrentSessions": settings.delivery_max_concurrent_sessions,
                    "streamTimeoutMs": settings.stream_timeout_ms,
                    "contextFetchBatchSize": settings.delivery_context_fetch_batch_size,
                    "listLimit": settings.delivery_list_limit,
                    "intervalMs": settings.delivery_interval,
                    "backoffBaseMs": settings.delivery_backoff_base_ms,
                    "backoffMaxMs": settings.delivery_backoff_max_ms,
                },
            }

    def _agent_sync(self) -> dict[str, Any]:
        with self._lock:
            at, synced = self._synced or (None, None)
            return {
                "running": self._leadership.term() is not None,
                "lastSyncAt": _ms(at),
                "lastError": self._sync_error,
                "addedCount": len(synced.changes.added) if synced else 0,
                "removedCount": len(synced.changes.removed) if synced else 0,
                "agents": len(synced.roster.members) if synced else None,
            }

    def _stats(self) -> Stats | None:
        try:
            return self._parts.lookout.stats()
        except StoreError:
            return None

    def _world(self) -> World | None:
        """Ask now what keeps deliveries waiting: whoever has just paused something wants to see it."""
        try:
            return self._parts.lookout.world()
        except StoreError:
            return None

    def _longest_silence(self) -> timedelta:
        # Never shorter than a failing backend needs for one time-out and one back-off.
        return max(3 * timedelta(milliseconds=self._parts.settings.delivery_interval),
                   timedelta(seconds=45))  # fmt: skip

    def _openclaw_version(self) -> str:
        configured = self._parts.settings.openclaw_version
        return self._gateway.version or configured


def _troubles(world: World | None) -> list[str]:
    """Say what keeps deliveries waiting although nothing is wrong with this process."""
    if world is None:
        return []
    found = []
    if world.circuit is not None and world.circuit.state is CircuitState.OPEN:
        seconds = round((world.at - world.circuit.since).total_seconds())
        found.append(
            f"Nobody asks the gateway ({world.circuit.cause}, for {seconds} s): it is probed again "
            "and again, and asked as soon as it is well."
        )
    if world.stop is not None:
        found.append(f"Convex is not called ({world.stop}): tried again every minute.")
    return found


def _store(stats: Stats | None) -> dict[str, Any]:
    if stats is None:
        return {"running": False}
    return {
        "running": True,
        "open": stats.open,
        "inFlight": stats.claims,
        "waiting": sum(stats.waiting),
        "resting": stats.resting,
        "dead": stats.dead,
        "oldestWaitSeconds": round(stats.oldest_wait().total_seconds(), 1),
    }


def _ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
