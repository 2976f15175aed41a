"""`dispatcher config` and the small verbs: what counts, where it came from, no secret told."""

from pathlib import Path

from tests.cli.conftest import Shell
from tests.house import AGENTS, House
from tests.samples import TASK

SECRETS = {
    "SERVICE_TOKEN": "mc_service_acc_0123456789abcdef",
    "OPENCLAW_GATEWAY_TOKEN": "gateway-secret",
    "CONSOLE_TOKEN": "console-secret",
    "TURN_TOKEN_KEY": "turn-secret-of-at-least-32-characters",
}


def test_every_setting_says_where_it_came_from(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DELIVERY_INTERVAL=20000\nHEALTH_PORT=4000\n")
    shell.settings["HEALTH_PORT"] = "5000"

    found = shell.json("config", "show")

    assert found["DELIVERY_INTERVAL"] == {"value": 20_000, "from": ".env"}
    assert found["HEALTH_PORT"] == {"value": 5_000, "from": "environment"}
    assert found["DELIVERY_LEASE_MS"] == {"value": 12_000, "from": "default"}
    assert found["DRAIN_TIMEOUT_MS"] == {"value": 90_000, "from": "derived"}
    changed = shell.text("config", "show", "--changed")
    assert "HEALTH_PORT" in changed
    assert "DELIVERY_LEASE_MS" not in changed


def test_no_secret_is_shown(shell: Shell) -> None:
    shell.settings.update(SECRETS)
    shell.settings["REDIS_URL"] = "redis://user:hunter2@127.0.0.1:6379/0"

    for text in (shell.text("config", "show"), shell.text("config", "show", "--json")):
        for secret in (*SECRETS.values(), "hunter2"):
            assert secret not in text
        assert "***" in text


def test_a_check_tells_all_problems_at_once(shell: Shell) -> None:
    assert "can be used" in shell.text("config", "check")
    shell.settings.update(
        {"CONVEX_URL": "nonsense", "SERVICE_TOKEN": "", "DELIVERY_INTERVALL": "5"}
    )

    text = shell.text("config", "check", code=78)

    assert "CONVEX_URL" in text
    assert "SERVICE_TOKEN" in text
    assert "DELIVERY_INTERVALL is not a setting; is DELIVERY_INTERVAL meant?" in text
    found = shell.json("config", "check", code=78)
    assert not found["usable"]
    assert len(found["problems"]) == 2
    assert shell.run("config", "show").exit_code == 78


def test_an_agent_is_paused_by_its_slug(house: House, shell: Shell) -> None:
    found = shell.json("pause", "--agent", "writer")
    assert found == {"what": f"agent:{AGENTS['writer']}", "changed": True}
    assert "was paused before" in shell.text("pause", "--agent", AGENTS["writer"])
    assert "Resumed" in shell.text("resume", "--agent", "writer")
    assert not house.store.world().paused


def test_a_slip_of_the_pen_pauses_nobody(house: House, shell: Shell) -> None:
    for target in (
        ("--agent", "writr"), ("--conversation", "writer"), ("--conversation", "writer:slip"),
        ("--conversation", f"writr:{TASK}"), ("--conversation", "writer:"),
        ("--all", "--agent", "x"),
    ):  # fmt: skip
        assert shell.run("pause", *target).exit_code == 2
    assert "engineer, squad-lead, writer" in shell.run("pause", "--agent", "writr").stderr
    assert not house.store.world().paused


def test_a_conversation_is_paused_by_its_agents_slug_or_id(house: House, shell: Shell) -> None:
    for task in (TASK, "-"):
        what = f"conversation:{AGENTS['writer']}:{task}"
        assert shell.json("pause", "--conversation", f"writer:{task}")["what"] == what
        assert shell.json("resume", "--conversation", f"{AGENTS['writer']}:{task}")["changed"]
    assert not house.store.world().paused
