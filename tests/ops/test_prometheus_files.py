"""The alerts: valid, tested, each with a page that says what to do, about metrics that exist."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.lab.metric_table import table_text

OPS = Path(__file__).parents[2] / "ops"
RULES = OPS / "prometheus" / "alerts.yml"
DASHBOARD = OPS / "grafana" / "dashboards" / "dispatcher.json"
GROUPS = {group["name"]: group["rules"] for group in yaml.safe_load(RULES.read_text())["groups"]}
ALERTS: list[dict[str, Any]] = GROUPS["dispatcher"]
RECORDED = {rule["record"] for rule in GROUPS["ends"]}
KNOWN = set(re.findall(r"^\| `(\w+)`", table_text(), re.MULTILINE)) | RECORDED
SUFFIXES = re.compile(r"_(?:bucket|sum|count)$")


def metrics_in(expression: str) -> set[str]:
    return {SUFFIXES.sub("", name) for name in re.findall(r"mission_control[:_][\w:]+", expression)}


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"),
     ("test", "rules", "alerts_test.yml")],
)  # fmt: skip
def test_promtool_is_content(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=OPS / "prometheus", capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_firing_and_quiet() -> None:
    cases = [
        (case["name"], case["promql_expr_test"][0])
        for case in yaml.safe_load((OPS / "prometheus" / "alerts_test.yml").read_text())["tests"]
    ]
    for alert in ALERTS:
        mine = [one for name, one in cases if name.split()[0] == alert["alert"]]
        assert any(one["exp_samples"] for one in mine), alert["alert"]
        assert any(not one["exp_samples"] for one in mine), alert["alert"]
        assert all(f'alertname="{alert["alert"]}"' in one["expr"] for one in mine)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_has_a_page_that_says_what_to_do(alert: dict[str, Any]) -> None:
    page = (OPS.parent / alert["annotations"]["runbook"]).read_text()

    assert alert["alert"] in page
    for heading in ("## What it means", "## How to see it", "## How to fix it"):
        assert heading in page
    assert alert["annotations"]["summary"]
    assert alert["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_alerts_are_about_metrics_that_exist(alert: dict[str, Any]) -> None:
    found = metrics_in(alert["expr"])

    assert found
    assert found <= KNOWN


def test_every_problem_that_is_told_has_its_page() -> None:
    """Whoever reads the health report finds the same pages."""
    sources = Path(OPS.parent / "dispatcher").rglob("*.py")
    named = {
        name for file in sources for name in re.findall(r'runbook="([\w-]+)"', file.read_text())
    }
    assert named
    for name in named:
        assert (OPS / "runbooks" / f"{name}.md").is_file(), name


def test_prometheus_finds_all_replicas_by_the_names_of_their_services() -> None:
    config = yaml.safe_load((OPS / "prometheus" / "prometheus.yml").read_text())
    found = {job["job_name"]: job["dns_sd_configs"][0]["names"] for job in config["scrape_configs"]}
    assert found == {"runtime": ["runtime"], "worker": ["worker"]}


def test_the_dashboard_shows_metrics_that_exist() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]

    assert all(metrics_in(expression) for expression in expressions)
    assert set().union(*map(metrics_in, expressions)) <= KNOWN


def test_the_panels_do_not_overlap_and_fit_the_grid() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y) for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }  # fmt: skip
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_promql_of_the_dashboard_is_read_by_prometheus(promtool: str, tmp_path: Path) -> None:
    """Each expression as a recording rule, so that the real parser reads it."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    rules = [
        {"record": f"panel:{panel['id']}:{target['refId']}",
         "expr": target["expr"].replace("$__rate_interval", "5m")}
        for panel in panels for target in panel["targets"]
    ]  # fmt: skip
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_is_told_where_its_data_and_dashboards_are() -> None:
    provisioning = OPS / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())
    provider = yaml.safe_load((provisioning / "dashboards" / "dispatcher.yml").read_text())
    panels = json.loads(DASHBOARD.read_text())["panels"]

    [prometheus] = source["datasources"]
    assert (prometheus["type"], prometheus["uid"]) == ("prometheus", "prometheus")
    assert {panel["datasource"]["uid"] for panel in panels} == {"prometheus"}
    assert provider["providers"][0]["options"]["path"] == "/var/lib/grafana/dashboards"
