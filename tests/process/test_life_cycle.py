"""The backend always knows how we are, and the crew may change while we run."""

import time

import httpx
import pytest

from dispatcher.lab.stack import Stack
from tests.process.facts import replies
from tests.process.test_leader import is_ready
from tests.process.trouble import wake
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def account(stack: Stack) -> dict:
    (row,) = stack.human("rows", table="accounts")
    return row


def status(stack: Stack) -> str:
    return str(account(stack).get("runtimeStatus"))


def synced(stack: Stack) -> dict:
    return stack.health()["agentSync"]


def test_items_168_and_171_we_are_online_from_the_start_and_offline_after_a_clean_end(
    start_stack,
) -> None:
    stack = start_stack(HEALTH_CHECK_INTERVAL="1000")
    until(lambda: status(stack), lambda found: found == "online", seconds=15)
    config = account(stack)["runtimeConfig"]
    assert set(config) == {
        "dropletId", "ipAddress", "region", "lastHealthCheck", "openclawVersion",
        "runtimeServiceVersion",
    }  # fmt: skip
    assert abs(config["lastHealthCheck"] / 1000 - time.time()) < 10

    stack.runtime.stop(within_s=15)

    assert status(stack) == "offline"
    assert stack.runtime.exit_code == 0
    assert account(stack)["runtimeConfig"]["dropletId"] == config["dropletId"]


def test_the_first_of_two_runtimes_to_stop_says_nothing_and_the_last_one_does(start_stack) -> None:
    stack = start_stack()
    standby = stack.add_runtime()
    until(lambda: is_ready(stack.standby_urls[0]), seconds=20)
    until(lambda: status(stack), lambda found: found == "online", seconds=15)

    stack.runtime.stop(within_s=15)
    assert status(stack) != "offline"
    until(lambda: status(stack), lambda found: found == "online", seconds=15)
    standby.stop(within_s=15)

    assert status(stack) == "offline"


def test_a_gateway_that_goes_away_makes_us_degraded_and_well_again(start_stack) -> None:
    stack = start_stack()
    until(lambda: status(stack), lambda found: found == "online", seconds=15)

    away = f"{stack.sandbox['gateway']}/sandbox/away"
    httpx.post(away, json={"seconds": 40}).raise_for_status()

    until(lambda: status(stack), lambda found: found == "degraded", seconds=40)
    until(lambda: status(stack), lambda found: found == "online", seconds=60)


def test_item_153_an_agent_that_is_new_answers_without_a_restart_and_one_that_left_stops(
    start_stack,
) -> None:
    stack = start_stack(AGENT_SYNC_INTERVAL="1000")
    stack.human("set_orchestrator", agent=None)
    until(lambda: synced(stack)["agents"], seconds=10)
    before = synced(stack)["agents"]

    scout = stack.human("create_agent", name="Scout", slug="scout", role="Member")
    stack.human("post_message", task=stack.sandbox["taskId"], content="@scout hello")
    stack.sandbox["agents"]["scout"] = scout
    until(lambda: replies(stack, "scout"), seconds=15)
    until(lambda: synced(stack)["agents"], lambda found: found == before + 1, seconds=5)

    stack.human("delete_agent", agent=scout)
    until(lambda: synced(stack)["agents"], lambda found: found == before, seconds=5)
    stack.human("post_message", task=stack.sandbox["taskId"], content="@scout are you there?")
    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer and you?")
    until(lambda: len(replies(stack)) == 1, seconds=15)
    assert len(replies(stack, "scout")) == 1
    assert synced(stack)["lastError"] is None


def test_item_169_a_restart_request_ends_all_processes_in_good_order(start_stack) -> None:
    stack = start_stack(workers=2, HEALTH_CHECK_INTERVAL="1000", delay=2.0)
    standby = stack.add_runtime()
    until(lambda: is_ready(stack.standby_urls[0]), seconds=20)
    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer one last thing")
    until(stack.asks, seconds=10)

    stack.human("request_restart")

    everybody = (stack.runtime, standby, *stack.workers)
    until(
        lambda: [child.exit_code for child in everybody],
        lambda found: None not in found,
        seconds=30,
    )
    assert [child.exit_code for child in everybody] == [0] * 4
    # The turn that was running has finished, and nobody was asked twice.
    assert len(replies(stack)) == 1
    assert [ask["outcome"] for ask in stack.asks()] == ["answered"]
    assert "restart was requested" in stack.workers[0].log.read_text()


def test_item_172_a_runtime_begins_by_itself_when_the_gateway_appears(start_stack) -> None:
    stack = start_stack()
    stack.runtime.stop(within_s=15)
    away = f"{stack.sandbox['gateway']}/sandbox/away"
    httpx.post(away, json={"seconds": 20}).raise_for_status()
    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer early")

    stack.runtime.start()

    until(lambda: is_alive(stack), seconds=20)
    assert not is_ready(stack.url)
    assert replies(stack) == []
    until(lambda: replies(stack), seconds=40)
    until(lambda: is_ready(stack.url), seconds=20)


def test_item_173_a_token_that_is_rejected_at_the_start_is_told_and_awaited(start_stack) -> None:
    """The one before us ended; it would be started again and again."""
    stack = start_stack()
    secret = stack.settings["SERVICE_TOKEN"].split("_", 3)[3]
    stack.runtime.stop(within_s=15)
    stack.human("rotate_token", secret="another")

    stack.runtime.start()

    until(lambda: is_alive(stack), seconds=20)
    problems = until(lambda: stack.health()["problems"], lambda found: "credentials" in str(found))
    assert "SERVICE_TOKEN" in str(problems)
    assert secret not in str(problems)
    assert not is_ready(stack.url)
    stack.human("rotate_token", secret=secret)
    wake(stack)
    until(lambda: is_ready(stack.url), seconds=20)


def is_alive(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_item_170_an_upgrade_ends_the_processes_once(start_stack) -> None:
    """Whether it came to nothing is judged minutes later; a start does not judge it."""
    stack = start_stack(HEALTH_CHECK_INTERVAL="1000")
    until(lambda: status(stack), lambda found: found == "online", seconds=15)
    stack.human("request_upgrade", openclaw_version="9.9.9", runtime_version="9.9.9")
    until(lambda: stack.runtime.exit_code, lambda code: code == 0, seconds=20)

    stack.runtime.start()
    until(lambda: is_ready(stack.url), seconds=20)
    until(lambda: status(stack), lambda found: found == "online", seconds=15)
    time.sleep(5)

    assert stack.runtime.exit_code is None
    (row,) = stack.human("rows", table="runtimes")
    assert row.get("upgradeHistory", []) == []
