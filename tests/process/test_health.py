"""Health, version and metrics of a running stack, item by item of the old runtime's checklist."""

import json
import urllib.request
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dispatcher.lab.redis_server import free_port
from dispatcher.lab.stack import Stack, StackFailed
from tests.process.facts import await_all_delivered, replies
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

FIELDS: dict[str, Any] = {
    "status": str,
    "uptime": (int, float),
    "versions": {"runtimeService": str, "openclaw": str},
    "infrastructure": {"dropletId": str, "ipAddress": str, "region": str},
    "gateway": {
        "running": bool, "sessions": int, "lastSendAt": (int, type(None)),
        "lastSendError": (str, type(None)),
    },
    "delivery": {
        "running": bool, "lastDelivery": (int, type(None)), "delivered": int, "failed": int,
        "consecutiveFailures": int, "lastErrorAt": (int, type(None)),
        "lastErrorMessage": (str, type(None)), "noResponseTerminalSkipCount": int,
        "requiredNotificationRetryExhaustedCount": int,
        "config": {
            "maxConcurrentSessions": int, "streamTimeoutMs": int, "contextFetchBatchSize": int,
            "listLimit": int, "intervalMs": int, "backoffBaseMs": int, "backoffMaxMs": int,
        },
    },
    "heartbeat": {"running": bool, "scheduledAgents": int},
    "agentSync": {
        "running": bool, "lastSyncAt": (int, type(None)), "lastError": (str, type(None)),
        "addedCount": int, "removedCount": int,
    },
    "memory": {"rss": int},
    "timestamp": int,
}  # fmt: skip


def get(url: str, accept: str = "*/*") -> tuple[str, str]:
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def check(found: dict[str, Any], fields: dict[str, Any], path: str = "") -> None:
    for name, kind in fields.items():
        assert name in found, f"{path}{name}"
        if isinstance(kind, dict):
            check(found[name], kind, f"{path}{name}.")
        else:
            assert isinstance(found[name], kind), f"{path}{name}: {found[name]!r}"


def say(stack: Stack, text: str) -> None:
    stack.human("post_message", task=stack.sandbox["taskId"], content=text)


def test_item_165_health_has_every_field_and_version_has_four(start_stack) -> None:
    stack = start_stack(DELIVERY_MAX_ATTEMPTS="1", HEARTBEATS="true")
    say(stack, "@engineer hello")
    await_settled(stack, 1)
    say(stack, "@writer [[error:500]] [[times:1]]")
    health = until(stack.health, lambda found: found["delivery"]["failed"] == 1, seconds=20)

    check(health, FIELDS)
    delivery, gateway = health["delivery"], health["gateway"]
    assert delivery["delivered"] == 1
    assert delivery["consecutiveFailures"] == 1
    assert gateway["sessions"] == 3
    assert gateway["lastSendAt"] > 0
    assert gateway["lastSendError"] == "ask_failed"
    beats = until(lambda: stack.health()["heartbeat"], lambda found: found["scheduledAgents"])
    assert beats == {"running": True, "scheduledAgents": 3}
    assert health["workers"]["count"] == 1
    alive = get(stack.worker_metrics_url(0).replace("/metrics", "/livez"))[1]
    assert json.loads(alive) == {"alive": True, "stuck": []}
    version = json.loads(get(f"{stack.url}/version")[1])
    assert set(version) == {
        "runtimeServiceVersion", "openclawVersion", "dropletId", "region",
    }  # fmt: skip

    say(stack, "@engineer again")
    await_all_delivered(stack, 2)
    until(stack.health, lambda found: found["gateway"]["lastSendError"] is None)


def test_item_166_health_is_degraded_before_the_gateway_was_reachable(tmp_path) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    stack = Stack(tmp_path, settings={"OPENCLAW_GATEWAY_URL": gone}, workers=1)
    with pytest.raises(StackFailed, match="Gateway"):
        _start_quickly(stack)


def _start_quickly(stack: Stack) -> None:
    import dispatcher.lab.stack as lab

    before, lab._START_S = lab._START_S, 15.0  # type: ignore[misc]
    try:
        stack.start()
    finally:
        lab._START_S = before  # type: ignore[misc]


def test_item_166_health_is_degraded_when_work_fails_or_nobody_works(start_stack) -> None:
    stack = start_stack(workers=0, DEGRADED_AFTER_FAILURES="2", DELIVERY_MAX_ATTEMPTS="1",
                        DEGRADED_AFTER_WAIT_MS="1000")  # fmt: skip
    health = stack.health()
    assert health["status"] == "degraded"
    assert any("No worker" in text for text in health["problems"])
    say(stack, "@engineer hello")
    until(stack.health, lambda found: any("longest wait" in one for one in found["problems"]))

    stack.add_worker()
    until(stack.health, lambda found: found["status"] == "healthy", seconds=20)
    until(lambda: replies(stack))
    for agent in ("writer", "squad-lead"):
        say(stack, f"@{agent} [[error:500]] [[times:1]]")
    health = until(stack.health, lambda found: found["delivery"]["failed"] == 2, seconds=20)
    assert health["status"] == "degraded"
    assert any("2 attempts in a row have failed" in text for text in health["problems"])


def await_settled(stack: Stack, count: int) -> None:
    """Wait for the end of deliveries: it is counted after their rows are marked."""
    await_all_delivered(stack, count)
    until(lambda: stack.health()["delivery"]["delivered"], lambda found: found == count)


def test_item_167_metrics_are_strict_text_or_json(start_stack) -> None:
    stack = start_stack()
    say(stack, "@engineer hello")
    await_settled(stack, 1)

    kind, text = get(f"{stack.url}/metrics")
    assert kind.startswith("text/plain; version=")
    assert "mission_control_operation_duration_seconds_count" in text
    kind, text = get(f"{stack.url}/metrics", "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    families = {one.name: one for one in text_string_to_metric_families(text)}
    operations = {
        sample.labels["operation"]
        for sample in families["mission_control_operation_duration_seconds"].samples
    }
    assert operations >= {"delivery.poll", "agent_sync.run"}

    kind, text = get(f"{stack.url}/metrics", "application/json")
    found = json.loads(text)
    assert kind == "application/json"
    poll = found["operations"]["delivery.poll"]
    assert poll["count"] == poll["successCount"] + poll["failureCount"] > 0
    assert poll["minDurationMs"] <= poll["maxDurationMs"]
    check(found, {
        "operations": {"heartbeat.execute": {"count": int}, "agent.document": {"count": int}},
        "runtime": {"uptime": (int, float), "memory": {"rss": int}},
        "components": {
            "delivery": {"running": bool, "delivered": int, "failed": int},
            "gateway": {"running": bool, "sessions": int},
            "heartbeat": {"running": bool, "scheduled": int},
        },
        "timestamp": int,
    })  # fmt: skip
    assert found["components"]["delivery"]["delivered"] == 1
