"""Profile `observability`: Prometheus finds every replica by the name of its service."""

import httpx
import pytest

from tests.containers.harness import Project
from tests.waiting import until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]

# Every target is first scraped at a moment of its own within the interval: no answer implies another.
EXPECTED = {
    'sum(up{job="worker"})': 3,
    'sum(up{job="runtime"})': 1,
    "max(mission_control_workers)": 3,
}


def test_prometheus_sees_every_worker(stack: Project) -> None:
    # Grafana's image need not be here.
    stack.compose("up", "--detach", "--no-build", "--no-deps", "prometheus")
    url = f"http://127.0.0.1:{stack.settings['PROMETHEUS_PORT']}/api/v1/query"

    def found() -> dict[str, int]:
        return {query: number(url, query) for query in EXPECTED}

    until(found, lambda numbers: numbers == EXPECTED, seconds=120)
    stack.compose("rm", "--stop", "--force", "prometheus")


def number(url: str, query: str) -> int:
    """What Prometheus answers; 0 while it is starting or has no such series."""
    try:
        result = httpx.get(url, params={"query": query}, timeout=5).json()["data"]["result"]
    except (httpx.HTTPError, KeyError, ValueError):
        return 0
    return int(float(result[0]["value"][1])) if result else 0
