"""What goes wrong on somebody's machine is told in one clear message."""

import socket
from pathlib import Path

import pytest

from dispatcher.lab.redis_server import free_port
from tests.containers.harness import Project, run
from tests.waiting import until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]
PLAIN = {
    "ACCOUNT_ID": "j57a", "CONVEX_URL": "http://127.0.0.1:1", "SERVICE_TOKEN": "mc_service_a_b",
}  # fmt: skip


def test_without_an_env_file_it_says_how_to_make_one(bare: Project) -> None:
    (bare.folder / ".env").unlink()
    done = bare.script("up", check=False)

    assert done.returncode == 1
    assert "cp .env.example .env" in done.stderr


def test_without_docker_it_says_so(bare: Project, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "id", "sed", "tail", "tr"):
        found = run("sh", "-c", f"command -v {name}", cwd=tmp_path).stdout.strip()
        (tools / name).symlink_to(found)
    done = bare.script("up", check=False, PATH=str(tools))

    assert done.returncode == 1
    assert "Docker is not installed" in done.stderr


def test_missing_variables_are_named(bare: Project) -> None:
    bare.write_env(ACCOUNT_ID="j57a", CONVEX_URL="", SERVICE_TOKEN='""')
    done = bare.script("up", check=False)

    assert done.returncode == 1
    assert "not set in .env: CONVEX_URL SERVICE_TOKEN" in done.stderr


def test_a_port_in_use_is_named(bare: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        bare.write_env(**PLAIN, HEALTH_PORT=str(port))
        done = bare.script("up", check=False, COMPOSE_PROJECT_NAME="mission-control-bare")

    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert "HEALTH_PORT" in done.stderr


def test_a_setting_that_cannot_be_used_ends_the_container_with_one_message(project, bare) -> None:
    """Compose itself starts it, so the program has to tell."""
    bare.write_env(**PLAIN, HEALTH_PORT=str(free_port()))
    bare.write_env(CONVEX_URL="nonsense")
    up = ("docker", "compose", "-p", "mission-control-bare", "-f", "docker-compose.runtime.yml")

    def runtimes() -> list[str]:
        return run(*up, "ps", "--all", "--quiet", "runtime", cwd=bare.folder).stdout.split()

    try:
        run(*up, "up", "--detach", "--wait", "--wait-timeout", "60", cwd=bare.folder, check=False)
        # Another service may have ended the waiting before this one was started.
        (runtime,) = until(runtimes, seconds=60)
        # It is started again and again; in between it stands ended.
        until(
            lambda: bare.inspect(runtime)["State"]["ExitCode"], lambda code: code == 78, seconds=90
        )
        logs = run(*up, "logs", "runtime", cwd=bare.folder).stdout
    finally:
        run(*up, "down", "--volumes", "--timeout", "2", cwd=bare.folder)

    assert "CONVEX_URL" in logs
    assert "Traceback" not in logs
    assert PLAIN["SERVICE_TOKEN"] not in logs


def test_windows_line_ends_quotes_and_blanks_are_understood(project: Project, sandbox) -> None:
    before = dict(project.settings)
    text = "".join(
        f'{name} = "{value}"  \r\n' if number % 2 else f"{name}='{value}'\r\n"
        for number, (name, value) in enumerate(project.settings.items())
    )
    (project.folder / ".env").write_bytes(text.encode())
    try:
        project.up("--scale", "worker=1", "--force-recreate")
        project.await_healthy("runtime")
        until(project.health, lambda found: found["status"] == "healthy", seconds=60)
    finally:
        project.settings = before
        project.write_env()


def test_item_178_an_upgrade_keeps_the_volumes_and_tells_of_a_failed_pull(project, sandbox) -> None:
    project.up("--scale", "worker=1")
    project.exec("redis", "redis-cli", "set", "test:kept", "through the upgrade")
    done = project.script("upgrade", BUILD="1")

    assert "The pull failed" in done.stderr
    assert "through the upgrade" in project.exec("redis", "redis-cli", "get", "test:kept")
    project.await_healthy("runtime")
