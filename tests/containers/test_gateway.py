"""Profile `openclaw`: the real gateway from npm in its container, with a scripted model."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.containers.harness import Project, Sandbox, run
from tests.containers.relay import Relay
from tests.gateway.harness import _model
from tests.gateway.model import Manner, ScriptedModel
from tests.waiting import until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]
AGENTS = ("engineer", "writer", "squad-lead")


def seeded_config(model_url: str) -> dict[str, Any]:
    """What somebody with a model of their own has in their configuration."""
    return {
        "agents": {
            "defaults": {"model": {"primary": "scripted/engineer"}},
            "entries": {name: {"model": f"scripted/{name}"} for name in AGENTS},
        },
        "plugins": {"enabled": False},
        "models": {
            "mode": "replace",
            "providers": {
                "scripted": {
                    "baseUrl": model_url, "apiKey": "none", "api": "openai-completions",
                    "models": [_model(name) for name in AGENTS],
                }
            },
        },
    }  # fmt: skip


def seed(project: Project, model_url: str) -> None:
    data = project.folder / ".runtime" / "openclaw-data"
    data.mkdir(parents=True, exist_ok=True)
    (data / "openclaw.json").write_text(json.dumps(seeded_config(model_url)))


@pytest.fixture(scope="module")
def model_url(bridge: str):
    with ScriptedModel() as model:
        model.behave("engineer", Manner(reply="hello from the container"))
        port = int(model.url.split(":")[2].partition("/")[0])
        with Relay(bridge, port) as relay:
            yield f"http://{bridge}:{relay.port}/v1"


@pytest.fixture(scope="module")
def with_gateway(project: Project, model_url: str):
    """The stack whose runtime asks the real gateway, as the guide says."""
    before = dict(project.settings)
    project.down()
    seed(project, model_url)
    project.write_env(OPENCLAW_GATEWAY_URL="http://openclaw-gateway:18789")
    project.compose("build", "openclaw-gateway")
    project.up("--scale", "worker=1", PROFILE="openclaw", WAIT_SECONDS="240")
    yield project
    project.down()
    project.settings = before
    project.write_env()


def gateway_of(project: Project) -> str:
    return project.ids("openclaw-gateway")[0]


def test_a_mention_is_answered_by_the_real_gateway(with_gateway, sandbox: Sandbox) -> None:
    until(lambda: with_gateway.health()["status"] == "healthy", seconds=60)
    before = len(sandbox.replies())

    sandbox.say("@engineer are you there?")

    until(lambda: len(sandbox.replies()) > before, seconds=120)
    assert "hello from the container" in sandbox.replies()[-1]["content"]


def test_item_176_with_a_token_it_listens_for_the_others(with_gateway: Project) -> None:
    url = f"http://127.0.0.1:{with_gateway.settings['OPENCLAW_PORT']}"
    assert httpx.get(f"{url}/readyz", timeout=10).status_code == 200
    assert "<html" in httpx.get(f"{url}/", timeout=10).text.lower()
    models = httpx.get(f"{url}/v1/models", timeout=10, headers={"Authorization": "Bearer wrong"})
    assert models.status_code == 401
    token = with_gateway.settings["OPENCLAW_GATEWAY_TOKEN"]
    models = httpx.get(f"{url}/v1/models", timeout=10, headers={"Authorization": f"Bearer {token}"})
    assert models.status_code == 200


def test_item_177_no_secret_of_ours_is_in_there(with_gateway: Project) -> None:
    """Agents execute code in this container."""
    found = with_gateway.inspect(gateway_of(with_gateway))
    environment = "\n".join(found["Config"]["Env"])
    inside = with_gateway.exec(
        "openclaw-gateway", "sh", "-c", "cat /proc/*/environ | tr '\\0' '\\n'"
    )
    for text in (environment, inside):
        assert "SERVICE_TOKEN" not in text
        assert with_gateway.settings["SERVICE_TOKEN"] not in text
        assert with_gateway.settings["CONSOLE_TOKEN"] not in text
        assert "ACCOUNT_ID" not in text
    assert with_gateway.exec("openclaw-gateway", "id", "-u").strip() == "10001"
    host = found["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Memory"] >= 2.5 * 2**30
    assert found["Config"]["StopTimeout"] is None or found["Config"]["StopTimeout"] >= 330


def test_the_token_is_in_no_log_no_file_and_no_process_list(with_gateway: Project) -> None:
    token = with_gateway.settings["OPENCLAW_GATEWAY_TOKEN"]
    listed = with_gateway.exec("openclaw-gateway", "sh", "-c", "cat /proc/*/cmdline | tr '\\0' ' '")
    config = (with_gateway.folder / ".runtime" / "openclaw-data" / "openclaw.json").read_text()
    logs = with_gateway.compose("logs", "openclaw-gateway")

    for text in (listed, config, logs):
        assert token not in text
    assert "Control UI" in logs


def test_redis_is_out_of_its_reach(with_gateway: Project) -> None:
    reached = run(
        "docker", "exec", gateway_of(with_gateway), "node", "-e",
        "require('net').connect(6379,'redis').on('connect',()=>process.exit(0))"
        ".on('error',()=>process.exit(3))",
        cwd=with_gateway.folder, check=False,
    )  # fmt: skip
    assert reached.returncode == 3


def test_the_browser_runs_beside_it(with_gateway: Project) -> None:
    script = "fetch('http://127.0.0.1:18800/json/version').then(r=>r.json()).then(v=>console.log(v.Browser))"
    told = with_gateway.exec("openclaw-gateway", "node", "-e", script)
    assert "Chrome" in told


def test_what_the_runtime_generates_is_taken_over_without_a_restart(with_gateway) -> None:
    workspace = with_gateway.folder / ".runtime" / "openclaw-workspace"
    before = with_gateway.inspect(gateway_of(with_gateway))["State"]["StartedAt"]
    entries = {name: {"model": f"scripted/{name}"} for name in (*AGENTS, "newcomer")}
    entries["newcomer"]["model"] = "scripted/engineer"
    generated = {"agents": {"ownership": "explicit", "entries": entries}}
    with_gateway.exec(
        "runtime", "python", "-c",
        f"open('/clawd/openclaw.json','w').write({json.dumps(generated)!r})",
    )  # fmt: skip
    url = f"http://127.0.0.1:{with_gateway.settings['OPENCLAW_PORT']}/v1/models"
    headers = {"Authorization": f"Bearer {with_gateway.settings['OPENCLAW_GATEWAY_TOKEN']}"}

    until(lambda: "newcomer" in httpx.get(url, headers=headers, timeout=10).text, seconds=60)

    assert with_gateway.inspect(gateway_of(with_gateway))["State"]["StartedAt"] == before
    assert workspace.is_dir()


def test_item_179_its_state_survives_a_restart_and_is_gone_when_removed(
    with_gateway: Project, model_url: str
) -> None:
    data: Path = with_gateway.folder / ".runtime" / "openclaw-data"
    with_gateway.exec("openclaw-gateway", "sh", "-c", "echo kept > /root/.openclaw/probe")

    with_gateway.down()
    assert (data / "probe").read_text() == "kept\n"
    run("rm", "-rf", str(data), cwd=with_gateway.folder)
    with_gateway.up("--scale", "worker=1", PROFILE="openclaw", WAIT_SECONDS="240")

    assert not (data / "probe").exists()
    config = json.loads((data / "openclaw.json").read_text())
    assert config["gateway"]["http"]["endpoints"]["responses"]["enabled"] is True

    with_gateway.down()  # the other tests need the scripted model again
    seed(with_gateway, model_url)
    with_gateway.up("--scale", "worker=1", PROFILE="openclaw", WAIT_SECONDS="240")
