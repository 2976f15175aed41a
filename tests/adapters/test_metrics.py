"""The exposition: read by the official parsers, in base units, without ids as labels."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from dispatcher.adapters.clock import MachineClock
from dispatcher.adapters.metrics import RUNTIME_GAUGES, WORKER_GAUGES, PrometheusTally
from dispatcher.adapters.redis.connection import ServerState, connect
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.adapters.store_metrics import Shared, StoreCollector
from dispatcher.domain.delivery import LineClass, entry_of
from dispatcher.domain.ids import AccountId, AgentId, is_document_id
from dispatcher.domain.reply import Reply, Usage
from dispatcher.domain.roster import Changes
from dispatcher.domain.standing import Asking, Standing, Worker
from dispatcher.domain.world import AgentRest, Circuit, CircuitState, World
from dispatcher.lab.metric_table import table_text
from dispatcher.lab.redis_server import free_port
from dispatcher.ports import Stats, Swept
from tests.samples import notification

UNITS = ("_total", "_seconds", "_bytes", "_info", "_up")
COUNTS = {
    "mission_control_agents",
    "mission_control_unaccounted",
    "mission_control_deliveries_open",
    "mission_control_turns_running",
    "mission_control_mailboxes_resting",
    "mission_control_mailboxes_waiting",
    "mission_control_dead_letters",
    "mission_control_turns_limit",
    "mission_control_agents_resting",
    "mission_control_pauses",
    "mission_control_paused_all",
    "mission_control_backend_stopped",
    "mission_control_failures_in_a_row",
    "mission_control_workers",
    "mission_control_worker_threads",
    "mission_control_worker_turns",
    "mission_control_runtimes",
    "mission_control_heartbeats_planned",
    "mission_control_circuit",
    "mission_control_leader",
    "mission_control_gateway_ready",
    "mission_control_credentials_rejected",
    "mission_control_loops_stuck",
    "mission_control_store_safe",
}
LABELS = {
    "version", "loop", "kind", "result", "cause", "agent", "direction", "class", "le", "step",
    "stage", "operation", "outcome", "action", "tool", "status", "change", "state",
}  # fmt: skip
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STATS = Stats(
    at=NOW,
    open=7,
    claims=2,
    resting=1,
    dead=3,
    paid=0,
    marking=0,
    waiting=(4, 0, 1, 0),
    oldest=(NOW - timedelta(seconds=90), None, NOW + timedelta(seconds=1), None),
)

WORLD = World(
    at=NOW,
    circuit=Circuit(
        state=CircuitState.TRIAL, cause="gateway_unavailable", since=NOW, failures=2, probe_at=NOW
    ),
    stop=None,
    rests=(AgentRest(agent=AgentId("a"), cause="agent_unavailable", since=NOW, until=NOW),),
    paused=(("all", NOW),),
)
STANDING = Standing(
    at=NOW,
    totals={"settled:answered": 11, "dead:ask_failed": 2, "answered": 11, "in": 5},
    asking=Asking(failures=4),
    workers=(
        Worker(name="a", pulse_at=NOW, threads=32, version="1"),
        Worker(name="b", pulse_at=NOW - timedelta(minutes=5), threads=32, version="1"),
    ),
    runtimes=2,
    term=3,
    heartbeats=5,
)
SERVER = ServerState(is_safe=False, used_bytes=1_000, limit_bytes=0)


@pytest.fixture
def registry() -> CollectorRegistry:
    """Everything that can be counted, counted once, with values that are hard to write."""
    registry = CollectorRegistry()
    tally = PrometheusTally(registry, version='0.1.0 "quoted\\', clock=MachineClock())
    tally.polled(listed=5, added=2, malformed=1)
    tally.failed("poll")
    tally.swept(Swept(expired=1, rested=2, to_ring=()))
    tally.attempted(kind="mention", result="settled", cause="replied")
    tally.attempted(kind="odd\n\"kind'\\", result="dead", cause="ask_failed")
    tally.replied(wait=timedelta(seconds=3))
    tally.replied(wait=timedelta(seconds=-3))
    tally.asked(result="answered", took=timedelta(milliseconds=1500))
    tally.stepped(step="look", took=timedelta(milliseconds=20))
    tally.resumed(stage="answered")
    tally.operated(operation="delivery.poll", took=timedelta(milliseconds=30))
    tally.operated(operation="delivery.poll", took=timedelta(milliseconds=50), error="away")
    tally.called_backend("listUndeliveredNotifications", "done", 0.01)
    tally.served_agent(tool="task_status", status=200, took=timedelta(milliseconds=5))
    tally.served_agent(tool="task_status", status=429, took=timedelta(milliseconds=1))
    tally.changed_status("degraded")
    tally.ran_tool(tool="task_search", result="done")
    tally.synced(members=3, changes=Changes(added=(AgentId("a"),)))
    tally.audited(unaccounted=0, repaired={"put": 1})
    for name in RUNTIME_GAUGES | WORKER_GAUGES:
        tally.watch(name, lambda: 1)
    usage = Usage(input_tokens=1000, output_tokens=10)
    tally.used(agent="engineer", reply=Reply(text="Done.", usage=usage))
    registry.register(StoreCollector(lambda: Shared(STATS, WORLD, STANDING, SERVER)))
    return registry


def families(registry: CollectorRegistry) -> dict[str, Metric]:
    return {one.name: one for one in parse_text(generate_latest(registry).decode())}


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"mission_control_{name}", labels)


def test_the_text_format_is_read_by_the_official_parser(registry: CollectorRegistry) -> None:
    """One HELP and TYPE for each family, its samples together, labels escaped."""
    text = generate_latest(registry).decode()

    found = list(parse_text(text))

    assert len({one.name for one in found}) == len(found)
    assert all(one.documentation for one in found)
    assert {one.type for one in found} == {"counter", "gauge", "histogram"}
    assert text.count("# TYPE ") == len(re.findall(r"# TYPE (\S+)", text))


def test_the_openmetrics_format_is_read_by_its_parser(registry: CollectorRegistry) -> None:
    """It is stricter: about suffixes, order and the end."""
    found = list(parse_openmetrics(generate_openmetrics(registry).decode()))

    assert {one.name for one in found} >= {"mission_control_polls", "mission_control_store_up"}


def test_no_sample_has_a_time_stamp(registry: CollectorRegistry) -> None:
    """Prometheus says when it looked."""
    samples = [sample for one in families(registry).values() for sample in one.samples]

    assert all(sample.timestamp is None for sample in samples)


def test_names_have_a_prefix_and_a_unit(registry: CollectorRegistry) -> None:
    """Seconds and totals; a gauge that counts things is named for the things."""
    for name, family in families(registry).items():
        if name.endswith("_created"):
            continue  # the client library's own, beside each counter
        full = f"{name}_total" if family.type == "counter" else name
        assert full.startswith("mission_control_")
        assert full.endswith(UNITS) or full in COUNTS, full
        assert "_ms" not in full


def test_labels_are_closed_sets_and_never_ids(registry: CollectorRegistry) -> None:
    """Each id as a label would be a new series for ever."""
    for family in families(registry).values():
        for sample in family.samples:
            assert set(sample.labels) <= LABELS
            assert not any(is_document_id(text) for text in sample.labels.values())
            assert not any("task:" in text for text in sample.labels.values())


def test_what_happened_is_counted(registry: CollectorRegistry) -> None:
    """Each method of the tally moves its own numbers."""
    assert value(registry, "polls_total") == 1
    assert value(registry, "notifications_listed_total") == 5
    assert value(registry, "deliveries_put_total") == 2
    assert value(registry, "notifications_malformed_total") == 1
    assert value(registry, "loop_errors_total", loop="poll") == 1
    assert value(registry, "leases_expired_total") == 1
    settled = {"kind": "mention", "result": "settled", "cause": "replied"}
    assert value(registry, "attempts_total", **settled) == 1
    assert value(registry, "tokens_total", agent="engineer", direction="input") == 1000
    assert value(registry, "tokens_total", agent="engineer", direction="output") == 10
    assert value(registry, "ask_duration_seconds_sum", result="answered") == 1.5
    assert value(registry, "build_info", version='0.1.0 "quoted\\') == 1


def test_operations_have_their_sums_for_readers_of_json() -> None:
    tally = PrometheusTally(CollectorRegistry(), version="", clock=MachineClock())
    tally.operated(operation="delivery.poll", took=timedelta(milliseconds=30))
    tally.operated(operation="delivery.poll", took=timedelta(milliseconds=50), error="token=abc")
    tally.served_agent(tool="document_upsert", status=500, took=timedelta(milliseconds=1))

    found = tally.operations.as_json()

    assert set(found) == {
        "delivery.poll", "heartbeat.execute", "agent_sync.run", "agent.task_status",
        "agent.task_update", "agent.task_create", "agent.document",
    }  # fmt: skip
    poll = found["delivery.poll"]
    assert poll.pop("lastErrorAt") > 0
    assert poll == {
        "count": 2, "successCount": 1, "failureCount": 1, "totalDurationMs": 80.0,
        "minDurationMs": 30.0, "maxDurationMs": 50.0, "lastError": "token=***",
    }  # fmt: skip
    assert found["agent.document"]["lastError"] == "HTTP 500"
    assert found["agent_sync.run"]["minDurationMs"] is None


def test_the_shared_state_is_told_with_its_processes(registry: CollectorRegistry) -> None:
    assert value(registry, "circuit", state="trial") == 1
    assert value(registry, "circuit", state="closed") == 0
    assert value(registry, "agents_resting") == 1
    assert value(registry, "pauses") == 1
    assert value(registry, "store_safe") == 0
    assert value(registry, "store_memory_bytes") == 1_000
    assert value(registry, "workers") == 1
    assert value(registry, "worker_threads") == 32
    assert value(registry, "failures_in_a_row") == 4
    assert value(registry, "deliveries_total", result="settled", outcome="answered") == 11
    assert value(registry, "deliveries_total", result="dead", outcome="ask_failed") == 2
    assert value(registry, "lead_changes_total") == 3


def test_the_table_of_metrics_is_what_the_code_says() -> None:
    """Write it anew with: python -m dispatcher.lab.metric_table > ops/metrics.md"""
    page = Path(__file__).parents[2] / "ops" / "metrics.md"
    assert page.read_text() == table_text()


def test_the_table_has_every_family_that_is_exposed(registry: CollectorRegistry) -> None:
    exposed = {
        f"{one.name}_total" if one.type == "counter" else one.name
        for one in registry.collect()
    }  # fmt: skip
    listed = set(re.findall(r"^\| `(\w+)`", table_text(), re.MULTILINE))
    assert exposed == listed


def test_a_wait_is_never_negative(registry: CollectorRegistry) -> None:
    """The backend's clock may be ahead of ours."""
    assert value(registry, "reply_wait_seconds_count") == 2
    assert value(registry, "reply_wait_seconds_sum") == 3


def test_the_store_is_shown_as_it_is(registry: CollectorRegistry) -> None:
    """By the clock of Redis, each class of the line for itself."""
    assert value(registry, "store_up") == 1
    assert value(registry, "deliveries_open") == 7
    assert value(registry, "turns_running") == 2
    assert value(registry, "mailboxes_resting") == 1
    assert value(registry, "dead_letters") == 3
    names = [each.name.lower() for each in LineClass]
    waiting = [value(registry, "mailboxes_waiting", **{"class": name}) for name in names]
    oldest = [value(registry, "oldest_wait_seconds", **{"class": name}) for name in names]
    assert waiting == [4, 0, 1, 0]
    assert oldest == [90, 0, 0, 0]


@pytest.fixture
def away() -> Iterator[RedisMailboxes]:
    """A store whose Redis is not there."""
    client = connect(f"redis://127.0.0.1:{free_port()}/0", max_connections=1)
    yield RedisMailboxes(client, account=AccountId("acc"), lease=timedelta(seconds=12), worker="w")
    client.close()


def test_without_redis_only_its_absence_is_shown(away: RedisMailboxes) -> None:
    """Zeros would look like an idle account, and an error would hide the other numbers."""
    registry = CollectorRegistry()
    tally = PrometheusTally(registry, version="0.1.0", clock=MachineClock())
    tally.polled(listed=0, added=0, malformed=0)
    registry.register(StoreCollector(lambda: Shared(away.stats(), WORLD, STANDING, SERVER)))

    found = families(registry)

    [sample] = found["mission_control_store_up"].samples
    assert sample.value == 0
    assert not (COUNTS - {"mission_control_agents", "mission_control_unaccounted"}) & set(found)
    assert "mission_control_oldest_wait_seconds" not in found
    assert found["mission_control_polls"].samples[0].value == 1


def test_the_store_is_read_anew_for_each_scrape(redis_client: redis.Redis) -> None:
    """A value of the last minute would hide what happens now."""
    store = RedisMailboxes(
        redis_client, account=AccountId("acc"), lease=timedelta(seconds=12), worker="w"
    )
    store.open()
    store.set_limits(cap=10, agent_cap=10)
    registry = CollectorRegistry()
    registry.register(StoreCollector(lambda: Shared(store.stats(), WORLD, STANDING, SERVER)))

    before = value(registry, "deliveries_open")
    store.put([entry_of(notification())])

    assert (before, value(registry, "deliveries_open")) == (0, 1)
    assert value(registry, "mailboxes_waiting", **{"class": "people"}) == 1
