"""Writes the table of all metrics: `python -m dispatcher.lab.metric_table > ops/metrics.md`."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry

from dispatcher.adapters.clock import MachineClock
from dispatcher.adapters.metrics import RUNTIME_GAUGES, WORKER_GAUGES, PrometheusTally
from dispatcher.adapters.redis.connection import ServerState
from dispatcher.adapters.store_metrics import Shared, StoreCollector
from dispatcher.domain.delivery import LineClass
from dispatcher.domain.standing import Standing
from dispatcher.domain.world import World
from dispatcher.ports import Stats

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_HEAD: Final = """\
# Metrics

Runtimes serve `/metrics` on `HEALTH_PORT`, workers on `METRICS_PORT`. The text follows Prometheus'
rules: base units, totals, one HELP and TYPE for each family, no time stamps, and no ids as labels.
`GET /metrics` with `Accept: application/json` gives the sums of the operations as JSON instead.

- **store** metrics are read from Redis once per scrape, in four bounded calls. Every runtime shows
  them and all show the same: take the `max` over instances, never the `sum`.
- **process** metrics count what one process did: take the `sum` over instances.

Beside these there are `process_*` and `python_gc_*` of the client library.

| Metric | Type | Labels | Of | Meaning |
|---|---|---|---|---|
"""

Row = tuple[str, str, str, str, str]


def table_text() -> str:
    """Return the whole page."""
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in sorted(_rows()))


def _rows() -> Iterable[Row]:
    yield from _counted()
    yield from _shared()
    for gauges, who in ((RUNTIME_GAUGES, "process (runtime)"), (WORKER_GAUGES, "process (worker)")):
        for name, text in gauges.items():
            yield f"`mission_control_{name}`", "gauge", "", who, text


def _counted() -> Iterable[Row]:
    registry = CollectorRegistry()
    PrometheusTally(registry, version="", clock=MachineClock())
    # The client library tells the labels of a family that has no sample yet only here.
    collectors: Any = registry._collector_to_names  # noqa: SLF001
    for collector in collectors:
        for family in collector.collect():
            yield _row(family, collector._labelnames, "process")  # noqa: SLF001


def _shared() -> Iterable[Row]:
    nothing = (0,) * len(LineClass)
    nobody = (None,) * len(LineClass)
    stats = Stats(
        at=_EPOCH, open=0, claims=0, resting=0, dead=0, paid=0, marking=0, waiting=nothing,
        oldest=nobody,
    )  # fmt: skip
    world = World(at=_EPOCH, circuit=None, stop=None, rests=(), paused=())
    standing = Standing(at=_EPOCH, totals={"settled:answered": 1})
    server = ServerState(is_safe=True, used_bytes=0, limit_bytes=0)
    for family in StoreCollector(lambda: Shared(stats, world, standing, server)).collect():
        labels = family.samples[0].labels if family.samples else ()
        yield _row(family, labels, "store")


def _row(family: Any, labels: Iterable[str], who: str) -> Row:  # noqa: ANN401
    name = f"{family.name}_total" if family.type == "counter" else family.name
    named = ", ".join(f"`{label}`" for label in labels)
    return f"`{name}`", family.type, named, who, family.documentation


if __name__ == "__main__":
    sys.stdout.write(table_text())
