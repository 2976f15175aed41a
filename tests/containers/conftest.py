"""One copy of the project and one sandbox for all tests of the containers."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.harness import Project, Sandbox, run, settings_for
from tests.containers.relay import Relay


@pytest.fixture(scope="session")
def bridge() -> str:
    """The address of this machine as containers see it; a missing engine fails in CI."""
    done = None
    if shutil.which("docker"):
        done = subprocess.run(
            ["docker", "network", "inspect", "bridge", "--format",
             "{{(index .IPAM.Config 0).Gateway}}"],
            capture_output=True, text=True,
        )  # fmt: skip
    if done is None or done.returncode != 0:
        text = "no container engine answers"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(delay=0.3)
    sandbox.human("set_orchestrator", agent=None)
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="session")
def project(bridge: str, sandbox: Sandbox, tmp_path_factory) -> Iterator[Project]:
    with (
        Relay(bridge, sandbox.port("backend")) as backend,
        Relay(bridge, sandbox.port("gateway")) as gateway,
    ):
        settings = settings_for(sandbox, backend.port, gateway.port, bridge)
        project = Project(tmp_path_factory.mktemp("project"), settings)
        run("docker", "compose", "-f", "docker-compose.runtime.yml", "build", "runtime",
            cwd=project.folder, DOCKER_BUILDKIT="1")  # fmt: skip
        yield project
        project.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)


@pytest.fixture
def stack(project: Project) -> Project:
    """The stack as `up` leaves it, with three workers."""
    project.up("--scale", "worker=3")
    return project


@pytest.fixture
def bare(tmp_path: Path, bridge: str) -> Project:
    """A copy of its own for tests that must not start."""
    return Project(tmp_path / "bare", {})
