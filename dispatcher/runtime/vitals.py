"""What the runtime knows of its own health, noted by its loops."""

import threading
from datetime import datetime, timedelta

from dispatcher.adapters.gateway_state import GatewayState
from dispatcher.domain.redact import short_error
from dispatcher.domain.standing import Level, Problem
from dispatcher.domain.upgrade import Versions
from dispatcher.flows.sync import Synced
from dispatcher.runtime.leadership import Leadership
from dispatcher.runtime.supervisor import Supervisor
from dispatcher.wiring import Parts

_TOLD = 5


class Vitals:
    """Facts noted by the loops, read by ``dispatcher.runtime.health``."""

    def __init__(self, parts: Parts, leadership: Leadership) -> None:
        self._parts = parts
        self._leadership = leadership
        self._lock = threading.Lock()
        self._started = parts.clock.monotonic()
        self._last_poll: datetime | None = None
        self._last_listed = 0
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

    def poll_succeeded(self, *, listed: int) -> None:
        """Note that the backend listed its rows, and how many."""
        with self._lock:
            self._last_poll = self._parts.clock.now()
            self._last_listed = listed
            self._poll_failures = 0
            self._credentials = None

    def nothing_was_listed(self, within: timedelta) -> bool:
        """Say whether the last poll was not longer ago and found nothing."""
        with self._lock:
            at = self._last_poll
            is_fresh = at is not None and self._parts.clock.now() - at <= within
            return is_fresh and self._last_listed == 0

    def poll_failed(self, error: Exception) -> None:
        """Note that a poll did not succeed."""
        with self._lock:
            self._poll_failures += 1
            self._last_error = (self._parts.clock.now(), short_error(str(error)))

    def credentials_rejected(self, text: str) -> None:
        """Note that the backend does not accept us."""
        with self._lock:
            self._credentials = short_error(text)

    def stands_by(self) -> None:
        """Note that another runtime lists: what this one once heard of the backend is old."""
        with self._lock:
            self._credentials = None
            self._poll_failures = 0

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

    def own_problems(self) -> tuple[Problem, ...]:
        """Say what is wrong that only this process knows of."""
        found = [_stuck(name) for name in self.stuck()]
        found += self._store_problems()
        found += [
            _failing(text) for text in (self.supervisor.troubles() if self.supervisor else ())
        ]
        with self._lock:
            found += self._backend_problems()
            if not self._gateway.is_ready:
                found.append(
                    Problem(
                        text=f"Gateway: {self._gateway.problem}",
                        remedy="Is OPENCLAW_GATEWAY_URL right, and does it run? `dispatcher "
                        "doctor` looks.",
                        runbook="circuit-open",
                    )
                )
            found += [_unwritten(text) for text in self._profile_problems[:_TOLD]]
        return tuple(found)

    def _backend_problems(self) -> list[Problem]:
        found = []
        if self._credentials is not None:
            hint = "compare ACCOUNT_ID and SERVICE_TOKEN with the account's settings"
            found.append(_of_poll(f"Convex rejects the credentials ({hint}): {self._credentials}"))
        elif self._leadership.term() is None:
            # A standby does not list; whether the leader can is told by the leader.
            pass
        elif self._last_poll is None:
            found.append(_of_poll("Convex has not been listed yet."))
        elif self._parts.clock.now() - self._last_poll > self.longest_silence():
            found.append(_of_poll("Convex could not be listed for three poll intervals."))
        if self._is_sync_late():
            found.append(_of_poll("The list of agents could not be read for three intervals."))
        return found

    def _store_problems(self) -> list[Problem]:
        trouble = self._leadership.trouble()
        if trouble is not None:
            return [_of_store(f"Redis can be read but not written to ({trouble}).")]
        if self._leadership.is_known():
            return []
        return [_of_store("It is not known yet which runtime leads.")]

    def _is_sync_late(self) -> bool:
        """Say whether the leader has heard nothing of the crew for long; a standby does not ask."""
        if self._leadership.term() is None or self._sync_fails_since is None:
            return False
        every = timedelta(milliseconds=self._parts.settings.agent_sync_interval)
        return self._parts.clock.now() - self._sync_fails_since > 3 * every

    def leads(self) -> bool:
        """Say whether this process leads for certain."""
        return self._leadership.term() is not None

    def uptime_s(self) -> float:
        """Return for how long this process runs."""
        return self._parts.clock.monotonic() - self._started

    def last_poll(self) -> datetime | None:
        """Return when the backend was listed last by this process."""
        with self._lock:
            return self._last_poll

    def poll_error(self) -> tuple[int, datetime | None, str | None]:
        """Return how many polls failed in a row, when the last failed, and why."""
        with self._lock:
            failed_at, text = self._last_error or (None, None)
            return self._poll_failures, failed_at, text

    def last_sync(self) -> tuple[datetime | None, Synced | None, str | None]:
        """Return when the crew was heard of, what came of it, and why that failed since."""
        with self._lock:
            at, synced = self._synced or (None, None)
            return at, synced, self._sync_error

    def gateway(self) -> GatewayState:
        """Return how the gateway was when it was last looked at."""
        with self._lock:
            return self._gateway

    def is_gateway_ready(self) -> bool:
        """Say whether the gateway was ready when it was last looked at."""
        with self._lock:
            return self._gateway.is_ready

    def versions(self) -> Versions | None:
        """Return what runs here; None while the gateway has not told its version."""
        with self._lock:
            openclaw = self._gateway.version
        return Versions(openclaw=openclaw, runtime=self._parts.version) if openclaw else None

    def longest_silence(self) -> timedelta:
        """Return how long the backend may not be listed before that is a problem."""
        # Never shorter than a failing backend needs for one time-out and one back-off.
        return max(3 * timedelta(milliseconds=self._parts.settings.delivery_interval),
                   timedelta(seconds=45))  # fmt: skip


def _stuck(name: str) -> Problem:
    return Problem(
        text=f"The loop {name} makes no progress.",
        remedy="The process ends by itself after 15 minutes; restart it if you cannot wait.",
        runbook="no-progress",
    )


def _failing(text: str) -> Problem:
    return Problem(
        text=text, remedy="The log has the whole error; the loop goes on trying.",
        runbook="no-progress",
    )  # fmt: skip


def _of_poll(text: str) -> Problem:
    return Problem(
        text=text, remedy="`dispatcher doctor` asks Convex now and says what it answers.",
        runbook="poll-stopped",
    )  # fmt: skip


def _of_store(text: str) -> Problem:
    return Problem(
        text=text, remedy="Is REDIS_URL right, does Redis run, and has its disk room?",
        runbook="redis-is-gone",
    )  # fmt: skip


def _unwritten(text: str) -> Problem:
    return Problem(
        text=f"Profiles: {text}",
        remedy="Is OPENCLAW_WORKSPACE_ROOT a folder that this process may write to?",
        level=Level.DEGRADED,
        runbook="an-agent-does-not-wake",
    )
