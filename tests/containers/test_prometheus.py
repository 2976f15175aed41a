"""Profile `observability`: Prometheus finds every replica by the name of its service."""

import httpx
import pytest

from tests.containers.harness import Project
from tests.waiting import until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]


def test_prometheus_sees_every_worker(stack: Project) -> None:
    # Grafana's image need not be here.
    stack.compose("up", "--detach", "--no-build", "--no-deps", "prometheus")
    url = f"http://127.0.0.1:{stack.settings['PROMETHEUS_PORT']}/api/v1/query"

    def count(query: str) -> int:
        try:
            found = httpx.get(url, params={"query": query}, timeout=5).json()["data"]["result"]
        except (httpx.HTTPError, KeyError, ValueError):  # It is still starting.
            return 0
        return int(float(found[0]["value"][1])) if found else 0

    until(lambda: count('sum(up{job="worker"})'), lambda found: found == 3, seconds=90)
    assert count('sum(up{job="runtime"})') == 1
    until(lambda: count("max(mission_control_workers)"), lambda found: found == 3, seconds=30)
    stack.compose("rm", "--stop", "--force", "prometheus")
