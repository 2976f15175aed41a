"""Items 82 to 89 of the backend's contract: the runtime's reports."""

import pytest

CONFIG = {"dropletId": "d1", "ipAddress": "10.0.0.1"}
UPGRADE = {
    "fromOpenclawVersion": "v1",
    "toOpenclawVersion": "v2",
    "fromRuntimeVersion": "1",
    "toRuntimeVersion": "2",
}


def report(office, status, **config):
    args = {"config": {**CONFIG, **config}} if config else {}
    assert office.call("updateRuntimeStatus", status=status, **args) == {"success": True}


def account(office):
    return office.rows("accounts")[0]


@pytest.mark.parametrize("config", [{"ipAddress": "x"}, {**CONFIG, "colour": "red"}])
def test_082_the_configuration_is_checked(office, config):
    text = office.error("updateRuntimeStatus", status="online", config=config)

    assert "ArgumentValidationError: Object " in text
    assert "\nPath: .config\n" in text


def test_083_the_configuration_is_replaced_or_kept_whole(office):
    report(office, "online", region="ams", openclawVersion="v1")
    report(office, "online", region="fra")
    assert account(office)["runtimeConfig"] == {**CONFIG, "region": "fra"}

    report(office, "degraded")

    assert account(office)["runtimeConfig"] == {**CONFIG, "region": "fra"}
    assert account(office)["runtimeStatus"] == "degraded"


def test_084_members_hear_of_each_change_once(office):
    office.world.create_member(office.account, "Bob", "bob@example.com")
    for status in ("online", "online", "offline", "offline", "online", "degraded", "error"):
        report(office, status)

    titles = [row["title"] for row in office.for_agent(office.alice)]
    assert titles == ["Runtime is online", "Runtime is offline", "Runtime is online"]
    assert len(office.rows("notifications")) == 6
    assert office.for_agent(office.alice)[1]["body"] == (
        'Mission Control runtime for "Acme" went offline.'
    )
    assert len(office.activities("runtime_status_changed")) == 5
    assert office.queue() == []


def test_085_a_stale_report_is_swept(office, clock):
    report(office, "online", lastHealthCheck=clock.now_s * 1000)

    clock.pass_s(90)
    assert office.backend.sweep_runtimes() == 0
    clock.pass_s(1)
    assert office.backend.sweep_runtimes() == 1

    assert account(office)["runtimeStatus"] == "offline"
    assert account(office)["runtimeConfig"]["dropletId"] == "d1"


def test_085_any_call_sweeps_now_and_then(office, clock):
    report(office, "online", lastHealthCheck=clock.now_s * 1000)
    clock.pass_s(120)

    office.call("getOrchestratorAgentId")

    assert account(office)["runtimeStatus"] == "offline"


def test_085_a_report_without_a_health_check_is_never_swept(office, clock):
    report(office, "online")
    report(office, "degraded", region="ams")
    clock.pass_s(86_400)

    assert office.backend.sweep_runtimes() == 0


def test_086_offline_sends_all_agents_home(office):
    task = office.task()
    args = {"agentId": office.engineer, "status": "busy", "currentTaskId": task}
    office.call("updateAgentHeartbeat", **args)
    before = len(office.activities("agent_status_changed"))

    report(office, "offline")

    assert {row["status"] for row in office.rows("agents")} == {"offline"}
    assert "currentTaskId" not in office.row("agents", office.engineer)
    assert len(office.activities("agent_status_changed")) == before


def test_087_a_restart_is_heard_once(office):
    assert office.call("checkAndClearRestartRequested") == {"restartRequested": False}
    office.world.request_restart(office.account)

    assert office.call("checkAndClearRestartRequested") == {"restartRequested": True}
    assert office.call("checkAndClearRestartRequested") == {"restartRequested": False}


def test_088_an_upgrade_is_pending_until_both_versions_match(office):
    report(office, "online", openclawVersion="v1", runtimeServiceVersion="1")
    office.world.request_upgrade(office.account, "v2", "2")
    pending = office.call("getPendingUpgrade")
    assert (pending["targetOpenclawVersion"], pending["strategy"]) == ("v2", "immediate")
    assert pending["initiatedBy"] == office.alice

    report(office, "online", openclawVersion="v2", runtimeServiceVersion="1")
    assert office.call("getPendingUpgrade") == pending
    report(office, "online", openclawVersion="v2", runtimeServiceVersion="2")

    assert office.call("getPendingUpgrade") is None
    (row,) = office.rows("runtimes")
    assert [entry["status"] for entry in row["upgradeHistory"]] == ["success"]
    assert (row["dockerImageTag"], row["status"]) == ("2", "online")


def test_088_an_upgrade_that_never_comes_fails_after_half_an_hour(office, clock):
    report(office, "online")
    office.world.request_upgrade(office.account, "v2", "2")
    clock.pass_s(30 * 60 + 1)

    report(office, "online")

    assert office.call("getPendingUpgrade") is None
    assert office.rows("runtimes")[0]["upgradeHistory"][0]["error"] == "Upgrade timed out"


def test_089_a_heartbeat_clears_what_it_does_not_name(office, clock):
    task = office.task()
    args = {"agentId": office.engineer, "status": "online"}

    beat = office.call("updateAgentHeartbeat", currentTaskId=task, **args)
    assert beat == {"success": True, "timestamp": clock.now_s * 1000}
    assert office.row("agents", office.engineer)["currentTaskId"] == task
    office.call("updateAgentHeartbeat", **args)

    row = office.row("agents", office.engineer)
    assert "currentTaskId" not in row
    assert row["lastHeartbeat"] == clock.now_s * 1000
    (logged,) = office.activities("agent_status_changed")
    assert logged["meta"] == {"oldStatus": "offline", "newStatus": "online", "heartbeat": True}


def test_an_upgrades_result_is_written_down(office):
    assert office.call("recordUpgradeResult", status="failed", **UPGRADE) == {"success": True}
    assert office.rows("runtimes") == []
    report(office, "online")

    office.call("recordUpgradeResult", status="failed", error=" no space \nmore", **UPGRADE)
    row = office.rows("runtimes")[0]
    assert (row["status"], row["upgradeHistory"][0]["error"]) == ("error", "no space")
    for _ in range(11):
        office.call("recordUpgradeResult", status="success", duration=3, **UPGRADE)

    row = office.rows("runtimes")[0]
    assert (row["status"], row["openclawVersion"], len(row["upgradeHistory"])) == (
        "online",
        "v2",
        10,
    )
