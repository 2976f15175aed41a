"""How the runtime tells of its health: to probes, to Convex, to the operator, to other processes."""

import resource
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from dispatcher.adapters.redis.pulses import PULSE
from dispatcher.domain.diagnosis import diagnose
from dispatcher.domain.errors import StoreError
from dispatcher.domain.standing import Level, Problem, Report, Standing
from dispatcher.domain.world import World
from dispatcher.flows.overview import names_of
from dispatcher.ports import Stats
from dispatcher.runtime.vitals import Vitals
from dispatcher.wiring import Parts

_STATM: Final = Path("/proc/self/statm")
_RSS_UNIT: Final = 1024
"""Of the most that there was, in bytes."""
_UNREACHABLE: Final = Problem(
    text="Redis cannot be reached.",
    remedy="Is REDIS_URL right, and does Redis run?",
    runbook="redis-is-gone",
)


class Health:
    """Reads the vitals and the store anew for whoever asks. See ``dispatcher.web.app.Health``."""

    def __init__(self, parts: Parts, vitals: Vitals) -> None:
        self._parts = parts
        self._vitals = vitals

    def stuck(self) -> tuple[str, ...]:
        """Name the loops that make no progress; none is the sign of life."""
        return self._vitals.stuck()

    def problems(self) -> tuple[str, ...]:
        """Say in sentences what keeps this runtime from being ready."""
        return tuple(one.text for one in self._problems() if one.level is Level.DOWN)

    def is_well(self) -> bool:
        """Say whether nothing is wrong that the backend should show."""
        return all(one.level is Level.NOTE for one in self._problems())

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

    def are_credentials_rejected(self) -> bool:
        """Say whether the backend did not accept us when it was last asked."""
        return self._vitals.are_credentials_rejected()

    def version(self) -> dict[str, str]:
        """Return the answer of ``/version``."""
        settings = self._parts.settings
        return {
            "runtimeServiceVersion": self._parts.version,
            "openclawVersion": self._openclaw_version(),
            "dropletId": settings.droplet_id,
            "region": settings.droplet_region,
        }

    def round(self) -> timedelta:
        """Tell the other processes how the leader finds itself.

        Raises:
            StoreError: Redis is away.
        """
        if self._vitals.leads():
            now = self._parts.clock.now()
            self._parts.pulses.report(
                Report(
                    at=now,
                    version=self._parts.version,
                    problems=self._vitals.own_problems(),
                    polled_at=self._vitals.last_poll(),
                )
            )
        return PULSE

    def health(self) -> dict[str, Any]:
        """Return the answer of ``/health``; times are Unix milliseconds."""
        stats, world, standing = self._look()
        problems = self._diagnosed(stats, world, standing)
        is_degraded = any(one.level is not Level.NOTE for one in problems)
        return {
            "status": "degraded" if is_degraded else "healthy",
            "problems": [one.text for one in problems],
            "leads": self._vitals.leads(),
            "uptime": round(self._vitals.uptime_s(), 1),
            "versions": {
                "runtimeService": self._parts.version,
                "openclaw": self._openclaw_version(),
            },
            "infrastructure": {
                "dropletId": self._parts.settings.droplet_id,
                "ipAddress": self._parts.settings.droplet_ip,
                "region": self._parts.settings.droplet_region,
            },
            "gateway": self._gateway(standing),
            "delivery": self._delivery(standing),
            "heartbeat": {
                "running": self._parts.settings.heartbeats and self._vitals.leads(),
                "scheduledAgents": standing.heartbeats if standing else 0,
            },
            "agentSync": self._agent_sync(),
            "store": _store(stats),
            "workers": _workers(standing),
            "memory": {"rss": _rss()},
            "timestamp": _ms(self._parts.clock.now()),
        }

    def operations(self) -> dict[str, Any]:
        """Return the answer of ``/metrics`` as JSON; times and durations in milliseconds."""
        standing = self._look()[2]
        totals = standing.totals if standing else {}
        operations = self._parts.tally.operations.as_json()
        # Heartbeats run in the workers; the store has counted those of all of them.
        missed = totals.get("settled:missed", 0)
        operations["heartbeat.execute"] |= {
            "count": totals.get("heartbeats", 0),
            "successCount": totals.get("heartbeats", 0) - missed,
            "failureCount": missed,
            "totalDurationMs": totals.get("heartbeats_ms", 0),
        }
        health = self.health()
        delivery, gateway, beats = health["delivery"], health["gateway"], health["heartbeat"]
        return {
            "operations": operations,
            "runtime": {"uptime": health["uptime"], "memory": health["memory"]},
            "components": {
                "delivery": {
                    name: delivery[name]
                    for name in (
                        "running", "delivered", "failed", "noResponseTerminalSkipCount",
                        "requiredNotificationRetryExhaustedCount",
                    )
                },
                "gateway": {name: gateway[name] for name in ("running", "sessions")},
                "heartbeat": {"running": beats["running"], "scheduled": beats["scheduledAgents"]},
            },
            "timestamp": health["timestamp"],
        }  # fmt: skip

    def _gateway(self, standing: Standing | None) -> dict[str, Any]:
        state = self._vitals.gateway()
        asking = standing.asking if standing else None
        _, synced, _ = self._vitals.last_sync()
        members = synced.roster.members if synced else ()
        return {
            "running": state.is_ready,
            "problem": state.problem,
            "sessions": sum(member.session_key is not None for member in members),
            "lastSendAt": _ms(asking.answered_at) if asking else None,
            "lastSendError": asking.error if asking else None,
        }

    def _delivery(self, standing: Standing | None) -> dict[str, Any]:
        settings = self._parts.settings
        totals = standing.totals if standing else {}
        poll_failures, failed_at, text = self._vitals.poll_error()
        attempts = standing.asking.failures if standing else 0
        silences = ("silence", "placeholder", "empty")
        return {
            "running": self._vitals.last_poll() is not None,
            "lastDelivery": _ms(self._vitals.last_poll()),
            "delivered": totals.get("answered", 0),
            "failed": totals.get("failed", 0),
            "consecutiveFailures": max(poll_failures, attempts),
            "lastErrorAt": _ms(failed_at),
            "lastErrorMessage": text,
            "noResponseTerminalSkipCount": sum(
                totals.get(f"settled:{word}", 0) for word in silences
            ),
            "requiredNotificationRetryExhaustedCount": totals.get("settled:no_reply", 0),
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
        at, synced, error = self._vitals.last_sync()
        return {
            "running": self._vitals.leads(),
            "lastSyncAt": _ms(at),
            "lastError": error,
            "addedCount": len(synced.changes.added) if synced else 0,
            "removedCount": len(synced.changes.removed) if synced else 0,
            "agents": len(synced.roster.members) if synced else None,
        }

    def _problems(self) -> tuple[Problem, ...]:
        return self._diagnosed(*self._look())

    def _look(self) -> tuple[Stats | None, World | None, Standing | None]:
        """Ask now: whoever has just paused something wants to see it."""
        try:
            lookout = self._parts.lookout
            return lookout.stats(), lookout.world(), self._parts.standing.standing()
        except StoreError:
            return None, None, None

    def _diagnosed(
        self, stats: Stats | None, world: World | None, standing: Standing | None
    ) -> tuple[Problem, ...]:
        own = self._vitals.own_problems()
        if stats is None or world is None or standing is None:
            return (_UNREACHABLE, *(one for one in own if one.runbook != _UNREACHABLE.runbook))
        _, synced, _ = self._vitals.last_sync()
        return own + diagnose(
            standing,
            world,
            oldest_wait=stats.oldest_wait(),
            dead=stats.dead,
            limits=self._parts.limits,
            names=names_of(synced.roster if synced else None),
        )

    def _openclaw_version(self) -> str:
        return self._vitals.gateway().version or self._parts.settings.openclaw_version


def _rss() -> int:
    """Return how much memory the process has now, in bytes; elsewhere than on Linux the most it had."""
    with suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


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


def _workers(standing: Standing | None) -> dict[str, Any]:
    live = standing.live_workers() if standing else ()
    return {
        "count": len(live),
        "threads": sum(one.threads for one in live),
        "lastSeenAt": _ms(max((one.pulse_at for one in live), default=None)),
    }


def _ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
