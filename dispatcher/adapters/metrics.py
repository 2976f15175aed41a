"""What one process counts, on a registry that is passed in: seconds, totals, no ids as labels."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from dispatcher.adapters.operations import AGENT_OPERATIONS, Operations
from dispatcher.domain.reply import Reply
from dispatcher.domain.roster import Changes
from dispatcher.ports import Clock, Swept

_WAITS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_CALLS: Final = (0.05, 0.2, 1, 5, 30)
_STEPS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600)
_RUNS: Final = (0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600)
_REFUSED: Final = 400

RUNTIME_GAUGES: Final = {
    "leader": "1 when this runtime leads.",
    "gateway_ready": "1 when the gateway was ready at this runtime's last look.",
    "credentials_rejected": "1 while Convex rejects this runtime.",
    "poll_patience_seconds": "So long Convex may not be listed before that is a problem.",
    "loops_stuck": "Loops of this runtime that make no progress.",
}
WORKER_GAUGES: Final = {"worker_turns": "Turns that this worker runs now."}


class PrometheusTally:
    """See ``dispatcher.ports.Tally``.

    Attributes:
        operations: The same operations in the form of the old runtime's JSON.
    """

    def __init__(self, registry: CollectorRegistry, *, version: str, clock: Clock) -> None:
        self._registry = registry
        self.operations = Operations(clock)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"mission_control_{name}", text, labels, registry=registry)

        info = Gauge(
            "mission_control_build_info", "The version that runs; always 1.", ["version"],
            registry=registry,
        )  # fmt: skip
        info.labels(version=version).set(1)
        self._polls = counter("polls", "Looks for undelivered notifications that succeeded.")
        self._listed = counter("notifications_listed", "Rows listed, again and again until marked.")
        self._put = counter("deliveries_put", "Deliveries put into mailboxes.")
        self._malformed = counter("notifications_malformed", "Listed rows that could not be read.")
        self._errors = counter("loop_errors", "Rounds of a loop that failed.", "loop")
        self._expired = counter("leases_expired", "Claims taken back from dead or frozen workers.")
        self._attempts = counter(
            "attempts", "Attempts by how they ended.", "kind", "result", "cause"
        )
        self._tokens = counter("tokens", "Tokens that turns cost.", "agent", "direction")
        self._tools = counter("tool_calls", "Tool calls of agents.", "tool", "result")
        self._dropped = counter("dead_letters_dropped", "Dead letters that had to make room.")
        self._repairs = counter("audit_repairs", "What audits had to set right.", "kind")
        self._crew_changes = counter(
            "agent_changes", "Agents that came, changed or left.", "change"
        )
        self._members = Gauge(
            "mission_control_agents", "Agents of the account, at the last sync of this runtime.",
            registry=registry,
        )  # fmt: skip
        self._unaccounted = Gauge(
            "mission_control_unaccounted",
            "Listed notifications that nobody will deal with, at the last audit of this runtime.",
            registry=registry,
        )
        self._wait = Histogram(
            "mission_control_reply_wait_seconds",
            "From a notification's creation to its reply in the thread.",
            buckets=_WAITS,
            registry=registry,
        )
        self._ask = Histogram(
            "mission_control_ask_duration_seconds",
            "One ask of the gateway, answered or not.",
            ["result"],
            buckets=_RUNS,
            registry=registry,
        )
        self._resumed = counter(
            "attempts_resumed", "Attempts that went on where an earlier one had stopped.", "stage"
        )
        self._steps = Histogram(
            "mission_control_step_duration_seconds",
            "Steps of attempts: line (from put to claim), look, ask, tools, post, mark, attempt.",
            ["step"],
            buckets=_STEPS,
            registry=registry,
        )
        self._backend = Histogram(
            "mission_control_backend_call_duration_seconds",
            "Calls of Convex by action and how they ended.",
            ["action", "result"],
            buckets=_CALLS,
            registry=registry,
        )
        self._operations = Histogram(
            "mission_control_operation_duration_seconds",
            "Operations of the runtime as a whole: a poll, a sync, a heartbeat.",
            ["operation", "outcome"],
            buckets=_CALLS,
            registry=registry,
        )
        self._polled_at = Gauge(
            "mission_control_poll_timestamp_seconds",
            "When Convex was listed last by this runtime; 0 before.",
            registry=registry,
        )
        self._synced_at = Gauge(
            "mission_control_sync_timestamp_seconds",
            "When the crew was heard of last by this runtime; 0 before.",
            registry=registry,
        )
        self._statuses = counter(
            "status_changes", "Reports to Convex that differed from the one before.", "status"
        )
        self._clock = clock
        self._served = Histogram(
            "mission_control_agent_request_duration_seconds",
            "Calls of agents over HTTP.",
            ["tool", "status"],
            buckets=_CALLS,
            registry=registry,
        )

    def polled(self, *, listed: int, added: int, malformed: int) -> None:
        """See ``Tally.polled``."""
        self._polls.inc()
        self._polled_at.set(self._clock.now().timestamp())
        self._listed.inc(listed)
        self._put.inc(added)
        self._malformed.inc(malformed)

    def failed(self, loop: str) -> None:
        """Count a round of a loop that failed."""
        self._errors.labels(loop=loop).inc()

    def swept(self, swept: Swept) -> None:
        """See ``Tally.swept``."""
        self._expired.inc(swept.expired)

    def attempted(self, *, kind: str, result: str, cause: str) -> None:
        """See ``Tally.attempted``."""
        self._attempts.labels(kind=kind, result=result, cause=cause).inc()

    def replied(self, *, wait: timedelta) -> None:
        """See ``Tally.replied``."""
        self._wait.observe(max(0.0, wait.total_seconds()))

    def asked(self, *, result: str, took: timedelta) -> None:
        """See ``Tally.asked``."""
        self._ask.labels(result=result).observe(took.total_seconds())

    def stepped(self, *, step: str, took: timedelta) -> None:
        """See ``Tally.stepped``."""
        self._steps.labels(step=step).observe(max(0.0, took.total_seconds()))

    def resumed(self, *, stage: str) -> None:
        """See ``Tally.resumed``."""
        self._resumed.labels(stage=stage).inc()

    def operated(self, *, operation: str, took: timedelta, error: str | None = None) -> None:
        """See ``Tally.operated``."""
        outcome = "done" if error is None else "failed"
        self._operations.labels(operation=operation, outcome=outcome).observe(took.total_seconds())
        self.operations.note(operation, took=took, error=error)

    def changed_status(self, status: str) -> None:
        """Count a report to the backend that differs from the one before."""
        self._statuses.labels(status=status).inc()

    def called_backend(self, action: str, result: str, took_s: float) -> None:
        """Record a call of Convex."""
        self._backend.labels(action=action, result=result).observe(took_s)

    def watch(self, name: str, look: Callable[[], float]) -> None:
        """Show one of the gauges below, asked for only when somebody looks."""
        text = (RUNTIME_GAUGES | WORKER_GAUGES)[name]
        gauge = Gauge(f"mission_control_{name}", text, registry=self._registry)
        gauge.set_function(look)

    def used(self, *, agent: str, reply: Reply) -> None:
        """See ``Tally.used``; ``agent`` is a slug, of which an account has few."""
        self._tokens.labels(agent=agent, direction="input").inc(reply.usage.input_tokens)
        self._tokens.labels(agent=agent, direction="output").inc(reply.usage.output_tokens)

    def ran_tool(self, *, tool: str, result: str) -> None:
        """See ``Tally.ran_tool``."""
        self._tools.labels(tool=tool, result=result).inc()

    def served_agent(self, *, tool: str, status: int, took: timedelta) -> None:
        """See ``Tally.served_agent``."""
        self._served.labels(tool=tool, status=str(status)).observe(took.total_seconds())
        if tool in AGENT_OPERATIONS:
            error = f"HTTP {status}" if status >= _REFUSED else None
            self.operated(operation=AGENT_OPERATIONS[tool], took=took, error=error)

    def dropped_dead(self, count: int) -> None:
        """See ``Tally.dropped_dead``."""
        self._dropped.inc(count)

    def synced(self, *, members: int, changes: Changes) -> None:
        """See ``Tally.synced``."""
        self._members.set(members)
        self._synced_at.set(self._clock.now().timestamp())
        for kind in ("added", "changed", "removed"):
            self._crew_changes.labels(change=kind).inc(len(getattr(changes, kind)))

    def audited(self, *, unaccounted: int, repaired: Mapping[str, int]) -> None:
        """See ``Tally.audited``."""
        self._unaccounted.set(unaccounted)
        for kind, count in repaired.items():
            self._repairs.labels(kind=kind).inc(count)
