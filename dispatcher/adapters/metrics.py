"""Collectors on a registry that is passed in: seconds, totals, and no ids as labels."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatcher.domain.delivery import LineClass
from dispatcher.domain.errors import StoreError
from dispatcher.domain.reply import Reply
from dispatcher.domain.roster import Changes
from dispatcher.ports import Stats, Swept

_WAITS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_CALLS: Final = (0.05, 0.2, 1, 5, 30)
_RUNS: Final = (0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600)


class PrometheusTally:
    """See ``dispatcher.ports.Tally``."""

    def __init__(self, registry: CollectorRegistry, *, version: str) -> None:
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

    def dropped_dead(self, count: int) -> None:
        """See ``Tally.dropped_dead``."""
        self._dropped.inc(count)

    def synced(self, *, members: int, changes: Changes) -> None:
        """See ``Tally.synced``."""
        self._members.set(members)
        for kind in ("added", "changed", "removed"):
            self._crew_changes.labels(change=kind).inc(len(getattr(changes, kind)))

    def audited(self, *, unaccounted: int, repaired: Mapping[str, int]) -> None:
        """See ``Tally.audited``."""
        self._unaccounted.set(unaccounted)
        for kind, count in repaired.items():
            self._repairs.labels(kind=kind).inc(count)


class StoreCollector(Collector):
    """Gauges of the shared state, read once per scrape with one bounded call."""

    def __init__(self, stats: Callable[[], Stats]) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """Read the store; when it cannot be read only ``up`` is given."""
        up = GaugeMetricFamily("mission_control_store_up", "1 when Redis answers.")
        try:
            stats = self._stats()
        except StoreError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        counts = {
            "deliveries_open": ("Deliveries that are not settled or dead.", stats.open),
            "turns_running": ("Claims: turns that run now.", stats.claims),
            "mailboxes_resting": ("Mailboxes whose head waits for its time.", stats.resting),
            "dead_letters": ("Deliveries kept for a person.", stats.dead),
        }
        for name, (text, value) in counts.items():
            yield GaugeMetricFamily(f"mission_control_{name}", text, value=value)
        yield from _by_class(stats)


def _by_class(stats: Stats) -> Iterable[Metric]:
    waiting = GaugeMetricFamily(
        "mission_control_mailboxes_waiting", "Mailboxes in line for a slot.", labels=["class"]
    )
    oldest = GaugeMetricFamily(
        "mission_control_oldest_wait_seconds", "The longest wait in line.", labels=["class"]
    )
    for each, count, since in zip(LineClass, stats.waiting, stats.oldest, strict=True):
        name = each.name.lower()
        waiting.add_metric([name], count)
        wait = (stats.at - since).total_seconds() if since else 0.0
        oldest.add_metric([name], max(0.0, wait))
    yield waiting
    yield oldest
