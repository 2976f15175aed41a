"""Install the real gateway and the Node.js it wants, once, into the repository's cache folder."""

import fcntl
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OPENCLAW_VERSION = "2026.9.6"
NODE_RANGE = "24"
INSTALL_LIMIT_S = 1200
CACHE = Path(__file__).resolve().parents[2] / ".cache"
HOME = CACHE / f"openclaw-{OPENCLAW_VERSION}"

_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class InstallFailed(RuntimeError):
    """The gateway could not be installed; the message says what npm said."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where the installed programs are.

    Attributes:
        node: The Node.js binary that the gateway wants.
        openclaw: The gateway's entry script, the first argument of ``node``.
    """

    node: Path
    openclaw: Path


def ensure_installed(home: Path = HOME) -> Installation:
    """Install what is missing and say where it is; safe to call from several processes.

    The marker is written last, so a folder without one is a half install and is thrown away.

    Raises:
        InstallFailed: npm is missing, failed or took longer than ``INSTALL_LIMIT_S``.
    """
    if (found := _installed(home)) is not None:
        return found
    with _locked(home):
        found = _installed(home)  # another process may have finished while we waited
        return found if found is not None else _install(home)


def _installed(home: Path) -> Installation | None:
    try:
        marker = json.loads((home / "installed.json").read_text())
    except FileNotFoundError:
        return None
    found = Installation(node=home / marker["node"], openclaw=home / marker["openclaw"])
    return found if found.node.is_file() and found.openclaw.is_file() else None


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the installer's lock, which lies beside the folder because the folder is replaced."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another install is running; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(home: Path) -> Installation:
    npm = shutil.which("npm")
    if npm is None:
        raise InstallFailed("npm is not on PATH; it is needed to install the real gateway")
    if home.exists():
        _say("throwing away a half install")
        shutil.rmtree(home)
    home.mkdir(parents=True)
    # A manifest of its own keeps npm from walking up to a project of somebody else.
    (home / "package.json").write_text('{"private": true}\n')
    node_package = _node_package()
    _npm_install(npm, home, f"{node_package}@{NODE_RANGE}")
    _npm_install(npm, home, f"openclaw@{OPENCLAW_VERSION}")

    node = Path("node_modules") / node_package / "bin" / "node"
    openclaw = Path("node_modules") / "openclaw" / "openclaw.mjs"
    version = _run([str(home / node), "--version"], cwd=home, limit_s=30).strip()
    if not (home / openclaw).is_file():
        raise InstallFailed(f"npm finished, but there is no {home / openclaw}")
    marker = {"node": str(node), "openclaw": str(openclaw), "node_version": version}
    draft = home / "installed.json.new"
    draft.write_text(json.dumps(marker, indent=2) + "\n")
    draft.replace(home / "installed.json")
    _say(f"installed openclaw {OPENCLAW_VERSION} on node {version}")
    return Installation(node=home / node, openclaw=home / openclaw)


def _node_package() -> str:
    """Name the package that holds the binary.

    ``node`` itself is a wrapper whose install script fetches this one; scripts are not run here,
    so the platform's package is asked for directly.
    """
    try:
        return f"node-{_SYSTEMS[platform.system()]}-{_MACHINES[platform.machine().lower()]}"
    except KeyError as error:
        raise InstallFailed(f"no Node.js package is known for this platform: {error}") from None


def _npm_install(npm: str, home: Path, package: str) -> None:
    started = time.monotonic()
    _say(f"npm install {package} ...")
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"]
    _run([npm, "install", *flags, package], cwd=home, limit_s=INSTALL_LIMIT_S)
    _say(f"npm install {package}: {time.monotonic() - started:.0f} s")


def _run(command: list[str], *, cwd: Path, limit_s: float) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallFailed(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise InstallFailed(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def _say(text: str) -> None:
    print(f"gateway install: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        place = ensure_installed()
    except InstallFailed as failure:
        _say(f"failed: {failure}")
        sys.exit(1)
    print(f"node      {place.node}\nopenclaw  {place.openclaw}")
