"""The stack as the guide starts it: one answer for each message, whatever is killed or scaled."""

import time

import pytest

from tests.containers.harness import Project, Sandbox, assert_answered_once_and_in_order, timed
from tests.waiting import until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]
AGENTS = ("engineer", "writer", "squad-lead")


def burst(sandbox: Sandbox, tasks: int, rounds: int) -> int:
    """Mention agents in many tasks; return how many messages were written."""
    names = [f"task {number}" for number in range(tasks)]
    ids = [sandbox.human("create_task", title=name) for name in names]
    for number in range(rounds):
        for at, task in enumerate(ids):
            sandbox.say(f"@{AGENTS[at % len(AGENTS)]} message {number}", task)
    return tasks * rounds


def all_delivered(sandbox: Sandbox, *, seconds: float = 120) -> None:
    until(sandbox.undelivered, lambda found: not found, seconds=seconds)


def test_item_174_up_serves_on_loopback_and_a_burst_is_answered_once(stack, sandbox) -> None:
    until(stack.health, lambda found: found["workers"]["count"] == 3, seconds=30)
    until(stack.health, lambda found: found["status"] == "healthy", seconds=60)

    with timed("burst of 60"):
        burst(sandbox, tasks=20, rounds=3)
        all_delivered(sandbox)
    assert_answered_once_and_in_order(sandbox)

    for service in ("redis", "worker", "runtime"):
        ports = stack.inspect(stack.ids(service)[0])["NetworkSettings"]["Ports"]
        published = [one for bound in ports.values() for one in bound or ()]
        assert all(one["HostIp"] == "127.0.0.1" for one in published), service
        assert bool(published) == (service == "runtime"), service
    assert not stack.ids("openclaw-gateway")


def test_workers_are_added_and_taken_away_under_load(stack: Project, sandbox: Sandbox) -> None:
    burst(sandbox, tasks=15, rounds=2)
    stack.up("--scale", "worker=5")
    stack.await_healthy("worker", count=5)
    burst(sandbox, tasks=15, rounds=2)
    with timed("scaling to 2 under load"):
        stack.up("--scale", "worker=2")

    all_delivered(sandbox)
    assert len(stack.ids("worker")) == 2
    assert_answered_once_and_in_order(sandbox)


@pytest.mark.parametrize("service", ["worker", "redis", "runtime"])
def test_what_is_killed_comes_back_and_nothing_is_lost(stack, sandbox, service: str) -> None:
    burst(sandbox, tasks=10, rounds=2)
    victim = stack.ids(service)[0]
    before = stack.inspect(victim)["RestartCount"]
    stack.kill(victim)

    until(lambda: stack.inspect(victim)["RestartCount"], lambda n: n > before, seconds=30)
    with timed(f"after the death of the {service}"):
        all_delivered(sandbox)
    stack.await_healthy(service, count=len(stack.ids(service)))
    assert_answered_once_and_in_order(sandbox)


def test_down_and_up_lose_nothing(stack: Project, sandbox: Sandbox) -> None:
    sandbox.say("@engineer [[delay:2]] before it stops")
    burst(sandbox, tasks=5, rounds=1)
    stack.script("down", "--timeout", "30")
    assert not stack.ids("redis")
    burst(sandbox, tasks=5, rounds=1)

    stack.up("--scale", "worker=2")
    all_delivered(sandbox)
    assert_answered_once_and_in_order(sandbox)


def test_a_stop_lets_running_turns_finish_within_the_grace_period(stack, sandbox) -> None:
    before = len(sandbox.replies())
    sandbox.say("@writer [[delay:5]] take your time")
    until(lambda: [ask for ask in sandbox.asks() if ask["ended_at"] is None], seconds=20)
    workers = stack.ids("worker")
    began = time.monotonic()

    stack.compose("stop", "worker")

    took_s = time.monotonic() - began
    assert took_s < 35, took_s
    assert len(sandbox.replies()) == before + 1
    for worker in workers:
        state = stack.inspect(worker)["State"]
        assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    stack.up("--scale", "worker=2")


def test_item_175_another_health_port_keeps_the_container_healthy(stack, sandbox) -> None:
    from dispatcher.lab.redis_server import free_port

    before = stack.settings["HEALTH_PORT"]
    stack.write_env(HEALTH_PORT=str(free_port()))
    assert stack.settings["HEALTH_PORT"] != before

    stack.up("--scale", "worker=1")

    stack.await_healthy("runtime")
    assert until(stack.health, lambda found: found["status"] == "healthy", seconds=30)


def test_nothing_runs_as_root_or_writes_where_it_should_not(stack: Project) -> None:
    for service in ("runtime", "worker", "redis"):
        found = stack.inspect(stack.ids(service)[0])
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] > 0, service
        assert host["PidsLimit"] > 0, service
    assert stack.exec("runtime", "id", "-u").strip() == "10001"
    assert stack.exec("redis", "id", "-u").strip() != "0"


def test_the_workspace_is_writable_for_the_runtime_whoever_made_it(stack: Project) -> None:
    """The engine makes folders for mounts as root."""
    folder = stack.folder / ".runtime" / "openclaw-workspace"
    assert folder.stat().st_uid == 10001
    stack.exec("runtime", "sh", "-c", "mkdir -p /clawd/agents && touch /clawd/agents/probe")


def test_status_and_descriptors_are_told(stack: Project) -> None:
    told = stack.script("status", check=False)
    assert "healthy" in told.stdout
    assert "Redis" in told.stdout
    counted = stack.script("descriptors", "runtime").stdout
    assert "descriptors" in counted
    assert "dispatcher" in counted
    assert "uptime" not in stack.script("logs", "runtime").stderr
