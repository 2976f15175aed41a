"""The compose files, read as they are: no engine is needed to see what they allow."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.runtime.yml").read_text())
REDIS: dict[str, Any] = yaml.safe_load((ROOT / "compose.redis.yml").read_text())
SERVICES = STACK["services"] | {"redis": REDIS["services"]["redis"] | STACK["services"]["redis"]}


def test_services_and_profiles_are_those_of_the_guide() -> None:
    profiles = {name: one.get("profiles", []) for name, one in SERVICES.items()}
    assert profiles == {
        "redis": [], "runtime": [], "worker": [], "folders": [],
        "openclaw-gateway": ["openclaw"], "prometheus": ["observability"],
        "grafana": ["observability"],
    }  # fmt: skip


def test_item_174_ports_are_published_on_loopback_only_and_can_be_changed() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert published == {
        "runtime": ["127.0.0.1:${HEALTH_PORT:-3001}:3001"],
        "openclaw-gateway": ["127.0.0.1:${OPENCLAW_PORT:-18789}:18789"],
        "prometheus": ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
    }


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert set(service.get("cap_add", [])) <= {"CHOWN", "DAC_OVERRIDE", "FOWNER"}
    assert ("cap_add" in service) == (name == "folders")
    assert service["logging"]["options"]["max-size"]
    if name != "folders":
        assert service["deploy"]["resources"]["limits"]["memory"]
        assert service["restart"] == "unless-stopped"
    # The gateway's agents install what they need.
    assert service.get("read_only", False) == (name != "openclaw-gateway")


def test_item_177_the_gateway_gets_what_is_named_and_never_the_service_token() -> None:
    gateway = SERVICES["openclaw-gateway"]
    assert "env_file" not in gateway
    assert isinstance(gateway["environment"], dict)
    forbidden = {"SERVICE_TOKEN", "CONVEX_URL", "ACCOUNT_ID", "CONSOLE_TOKEN", "TURN_TOKEN_KEY",
                 "REDIS_URL"}  # fmt: skip
    assert not forbidden & set(gateway["environment"])
    assert not any(word in str(gateway) for word in forbidden)
    assert gateway["networks"] == ["outside"]


def test_redis_keeps_and_evicts_nothing_and_has_no_way_out() -> None:
    redis = SERVICES["redis"]
    command = " ".join(redis["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "ports" not in redis
    assert redis["networks"] == ["mailboxes"]
    assert STACK["networks"]["mailboxes"] == REDIS["networks"]["mailboxes"] == {"internal": True}


def test_workers_can_be_scaled_and_have_time_to_drain() -> None:
    worker = SERVICES["worker"]
    assert not {"container_name", "ports"} & set(worker)
    assert worker["stop_grace_period"] == "${WORKER_STOP_GRACE:-660s}"
    assert SERVICES["openclaw-gateway"]["stop_grace_period"] == "330s"


def test_item_175_the_port_inside_is_fixed_so_that_health_checks_always_know_it() -> None:
    environment = SERVICES["runtime"]["environment"]
    assert environment["HEALTH_PORT"] == "3001"
    assert SERVICES["runtime"]["healthcheck"]["test"][-1] == "3001"
    assert SERVICES["worker"]["healthcheck"]["test"][-1] == environment["METRICS_PORT"]


def test_images_have_a_tag_and_stand_in_one_place() -> None:
    images = {one["image"] for one in SERVICES.values()}
    assert all(re.search(r":[^:]+$", image) and ":latest" not in image for image in images)
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert SERVICES["runtime"]["image"].endswith(f"${{RUNTIME_VERSION:-{version[1]}}}")
    dockerfile = (ROOT / "ops" / "openclaw" / "Dockerfile").read_text()
    pinned = re.search(r"^ARG OPENCLAW_VERSION=(.+)$", dockerfile, re.MULTILINE)
    assert pinned is not None
    assert f":-{pinned[1]}}}" in SERVICES["openclaw-gateway"]["image"]


@pytest.mark.parametrize("file", ["ops/docker/Dockerfile", "ops/openclaw/Dockerfile"])
def test_images_run_as_nobody_in_particular(file: str) -> None:
    text = (ROOT / file).read_text()
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "10001:10001"
    assert "HEALTHCHECK" in text
    assert "curl " not in text.split("HEALTHCHECK")[1]
    assert "--mount" not in text, "it must build without BuildKit"
