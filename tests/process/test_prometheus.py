"""Debian's Prometheus scrapes a running stack by our own files, and an alert is seen to fire."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from dispatcher.lab.metric_table import table_text
from dispatcher.lab.redis_server import free_port
from dispatcher.lab.stack import Stack
from tests.needs import need
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]
OPS = Path(__file__).parents[2] / "ops" / "prometheus"


class Prometheus:
    """A server on a port of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **query: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/{path}?{urlencode(query)}", timeout=5) as answer:
            return json.load(answer)["data"]

    def value(self, expression: str) -> float | None:
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        alerts = self.ask("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


def written_config(folder: Path, stack: Stack) -> Path:
    """Our own files, with addresses for names, a quick rhythm, and alerts that wait for nothing."""
    config = yaml.safe_load((OPS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    worker = stack.worker_metrics_url(0).split("/")[2]
    targets = {"runtime": stack.url.removeprefix("http://"), "worker": worker}
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
    rules = yaml.safe_load((OPS / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                rule["for"] = "0s"
    (folder / "alerts.yml").write_text(yaml.safe_dump(rules))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    return folder / "prometheus.yml"


@pytest.fixture
def watched(start_stack, tmp_path: Path) -> Iterator[tuple[Stack, Prometheus]]:
    program = need("prometheus")
    stack = start_stack(DELIVERY_MAX_ATTEMPTS="1")
    folder, port = tmp_path / "prometheus", free_port()
    folder.mkdir()
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [program, f"--config.file={written_config(folder, stack)}",
             f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    prometheus = Prometheus(port)

    def is_up() -> bool:
        try:
            return prometheus.value("sum(up)") == 2
        except OSError:
            return False

    try:
        until(is_up, seconds=30)
        yield stack, prometheus
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder / "data", ignore_errors=True)


def test_a_stack_is_scraped_and_an_alert_fires(watched: tuple[Stack, Prometheus]) -> None:
    stack, prometheus = watched
    # A stack of the lab keeps nothing on disk, and this alert says so.
    until(prometheus.firing, lambda found: found == {"RedisUnsafe"}, seconds=20)
    assert prometheus.value("max(mission_control_leader)") == 1
    assert prometheus.value("max(mission_control_workers)") == 1
    assert prometheus.value("time() - max(mission_control_poll_timestamp_seconds)") < 60

    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer hello")
    until(
        lambda: prometheus.value("sum(mission_control_reply_wait_seconds_count)") == 1, seconds=20
    )
    stack.human(
        "post_message", task=stack.sandbox["taskId"], content="@writer [[error:500]] [[times:1]]"
    )

    until(prometheus.firing, lambda found: "DeadLetters" in found, seconds=20)
    [alert] = [
        one for one in prometheus.ask("alerts")["alerts"]
        if one["labels"]["alertname"] == "DeadLetters"
    ]  # fmt: skip
    assert alert["annotations"]["summary"] == "Dead letters: 1"
    assert alert["annotations"]["runbook"] == "ops/runbooks/dead-letters.md"
    _all_is_in_the_table(prometheus)


def _all_is_in_the_table(prometheus: Prometheus) -> None:
    """What a real runtime and a real worker expose is what the table of metrics says."""
    names = {one["metric"] for one in prometheus.ask("targets/metadata")}
    ours = {name for name in names if name.startswith("mission_control_")}
    table = table_text()
    assert ours
    # OpenMetrics names a counter's family without its ending.
    missing = {
        name for name in ours if f"| `{name}`" not in table and f"| `{name}_total`" not in table
    }  # fmt: skip
    assert not missing
