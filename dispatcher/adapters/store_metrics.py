"""Metrics of the state that all processes share, read from Redis once per scrape.

Every runtime shows them, and all show the same: take the maximum over instances, never the sum.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatcher.adapters.redis.connection import ServerState
from dispatcher.domain.activity import by_word
from dispatcher.domain.delivery import LineClass
from dispatcher.domain.errors import StoreError
from dispatcher.domain.standing import Standing
from dispatcher.domain.world import ALL, CircuitState, World
from dispatcher.ports import Stats


@dataclass(frozen=True, slots=True)
class Shared:
    """What one scrape reads: four calls, each bounded."""

    stats: Stats
    world: World
    standing: Standing
    server: ServerState


class StoreCollector(Collector):
    """Gauges and totals of the shared state."""

    def __init__(self, look: Callable[[], Shared]) -> None:
        self._look = look

    def describe(self) -> Iterable[Metric]:
        """Promise nothing in advance: registering must not read Redis."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the store; when it cannot be read only ``up`` is given."""
        up = GaugeMetricFamily("mission_control_store_up", "1 when Redis answers.")
        try:
            shared = self._look()
        except StoreError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _gauges(shared)
        yield from _by_class(shared.stats)
        yield from _totals(shared.standing)


def _gauges(shared: Shared) -> Iterable[Metric]:
    stats, world, standing = shared.stats, shared.world, shared.standing
    live = standing.live_workers()
    gauges = {
        "deliveries_open": ("Deliveries that are not settled or dead.", stats.open),
        "turns_running": ("Claims: turns that run now.", stats.claims),
        "turns_limit": ("Turns that may run at once.", standing.cap),
        "mailboxes_resting": ("Mailboxes whose head waits for its time.", stats.resting),
        "dead_letters": ("Deliveries kept for a person.", stats.dead),
        "agents_resting": ("Agents that are left alone for a while.", len(world.rests)),
        "pauses": ("What operators have paused.", len(world.paused)),
        "paused_all": ("1 while an operator has paused everything.",
                       int(any(what == ALL for what, _ in world.paused))),
        "backend_stopped": ("1 while Convex is not called because it rejects us.",
                            int(world.stop is not None)),
        "failures_in_a_row": ("Attempts that failed since an agent last answered.",
                              standing.asking.failures),
        "workers": ("Worker processes that gave a pulse within a minute.", len(live)),
        "worker_threads": ("Threads of these workers.", sum(one.threads for one in live)),
        "runtimes": ("Runtimes that live; one of them leads.", standing.runtimes),
        "store_safe": ("1 when Redis keeps an append-only file and evicts nothing.",
                       int(shared.server.is_safe)),
        "store_memory_bytes": ("Memory that Redis uses.", shared.server.used_bytes),
        "store_memory_limit_bytes": ("Memory that Redis may use; 0 without a limit.",
                                     shared.server.limit_bytes),
        "heartbeats_planned": ("Agents whose next heartbeat is planned.", standing.heartbeats),
    }  # fmt: skip
    for name, (text, value) in gauges.items():
        yield GaugeMetricFamily(f"mission_control_{name}", text, value=value)
    circuit = GaugeMetricFamily(
        "mission_control_circuit", "1 for the state in which the gateway's circuit is.",
        labels=["state"],
    )  # fmt: skip
    state = world.circuit.state.value if world.circuit else "closed"
    for each in ("closed", *CircuitState):
        circuit.add_metric([str(each)], int(str(each) == state))
    yield circuit


def _totals(standing: Standing) -> Iterable[Metric]:
    # Both are always there: what begins at its first event has no rate for it.
    both = CounterMetricFamily(
        "mission_control_deliveries_ended", "Deliveries of notifications that ended.",
        labels=["result"],
    )  # fmt: skip
    for result in ("settled", "dead"):
        both.add_metric([result], standing.totals.get(result, 0))
    yield both
    ended = CounterMetricFamily(
        "mission_control_deliveries", "Deliveries that ended, by how and why, since this store "
        "began.", labels=["result", "outcome"],
    )  # fmt: skip
    for result in ("settled", "dead"):
        for word, count in sorted(by_word(standing.totals, result).items()):
            ended.add_metric([result, word], count)
    yield ended
    yield CounterMetricFamily(
        "mission_control_lead_changes", "How often the lead has changed hands.", value=standing.term
    )


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
