"""The real gateway as a child process, with agents whose model is scripted."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from tests.gateway.install import Installation, ensure_installed

TOKEN = "token-of-the-gateway-tests"
READY_LIMIT_S = 150
LOG_TAIL_LINES = 40
_STOP_GRACE_S = 15


class GatewayNotReady(AssertionError):
    """The gateway ended or was not ready in time; the message ends with its log."""


class RealGateway:
    """One real gateway with folders, port and process group of its own.

    Sessions live in its folder, so they survive ``kill`` and ``terminate``. Not thread-safe.

    Attributes:
        url: Where it listens, without a trailing slash; the same after ``start_again``.
        token: Its bearer token.
        started_in_s: How long the last start took until it was ready.
    """

    def __init__(
        self,
        folder: Path,
        *,
        model_url: str,
        agents: Sequence[str] = ("engineer", "writer"),
        token: str = TOKEN,
        max_concurrent: int | None = None,
        timeout_s: int | None = None,
        provider_timeout_s: int | None = None,
    ) -> None:
        """Write the configuration; nothing runs before ``start``.

        Args:
            folder: Empty and the gateway's own; holds configuration, state, home and logs.
            model_url: ``baseUrl`` of the provider; each agent's model is called like the agent.
            agents: Ids in lower case.
            token: What clients must show.
            max_concurrent: Runs at a time; None for the gateway's default.
            timeout_s: Budget of a run; None for the gateway's default.
            provider_timeout_s: How long the provider may be silent; None for the default.
        """
        self.token = token
        self.started_in_s = 0.0
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("home", "state", "workspace", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        config = self._config(model_url, agents)
        defaults = config["agents"]["defaults"]
        if max_concurrent is not None:
            defaults["maxConcurrent"] = max_concurrent
        if timeout_s is not None:
            defaults["timeoutSeconds"] = timeout_s
        if provider_timeout_s is not None:
            config["models"]["providers"]["scripted"]["timeoutSeconds"] = provider_timeout_s
        (folder / "openclaw.json").write_text(json.dumps(config, indent=2))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, limit_s: float = READY_LIMIT_S) -> Self:
        """Install if need be, start, and wait until ``/readyz`` says so.

        Raises:
            GatewayNotReady: It ended, or took longer than ``limit_s``; it is not running then.
        """
        assert not self.is_running(), "the gateway runs already"
        self._process = self._spawn(ensure_installed())
        began = time.monotonic()
        try:
            self._wait_until_ready(began + limit_s)
        except BaseException:
            self.kill()
            raise
        self.started_in_s = time.monotonic() - began
        return self

    def start_again(self, limit_s: float = READY_LIMIT_S) -> Self:
        """Start once more after ``kill`` or ``terminate``, on the same port and folder."""
        return self.start(limit_s)

    def terminate(self) -> None:
        """Send SIGTERM and return at once: the gateway drains. ``wait`` waits for its end."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGTERM)

    def wait(self, limit_s: float) -> int | None:
        """Wait for the process to end; None when it is still running after ``limit_s``."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Send SIGKILL to the whole process group and wait for the end, as in a crash."""
        if self._process is None:
            return
        # The group is ours alone: the child was started as its leader, and processes that the
        # gateway started may outlive it there.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it in order if that is quick, else by force; safe to call twice."""
        self.terminate()
        self.wait(_STOP_GRACE_S)
        self.kill()

    def is_running(self) -> bool:
        """Say whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """Return the end of what the process printed, over all starts."""
        log = self._folder / "gateway.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def post(
        self,
        body: dict[str, Any],
        *,
        session_key: str | None = None,
        token: str | None = None,
        timeout_s: float = 120,
    ) -> httpx.Response:
        """Send one ask on a connection of its own.

        Args:
            body: The whole JSON body.
            session_key: For ``x-openclaw-session-key``; None leaves the header out.
            token: Shown instead of the right one.
            timeout_s: For each step of the exchange; a silent run is one step.
        """
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if session_key is not None:
            headers["x-openclaw-session-key"] = session_key
        url = f"{self.url}/v1/responses"
        return httpx.post(url, json=body, headers=headers, timeout=timeout_s, verify=False)

    def _spawn(self, installed: Installation) -> subprocess.Popen[bytes]:
        folder = self._folder
        # Nothing of the caller's environment but PATH: a key or proxy there must not matter.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "OPENCLAW_STATE_DIR": str(folder / "state"),
            "OPENCLAW_CONFIG_PATH": str(folder / "openclaw.json"),
            "OPENCLAW_DISABLE_BONJOUR": "1",
            "OPENCLAW_NO_RESPAWN": "1",
            "OPENCLAW_SKIP_CHANNELS": "1",
        }
        with (folder / "gateway.log").open("ab") as log:
            return subprocess.Popen(
                [str(installed.node), str(installed.openclaw), "gateway", "run"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_ready(self, deadline: float) -> None:
        assert self._process is not None
        with httpx.Client(base_url=self.url, timeout=5, verify=False) as client:
            while time.monotonic() < deadline:
                if (code := self._process.poll()) is not None:
                    raise GatewayNotReady(f"it ended with {code}:\n{self.log_tail()}")
                with suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        return
                time.sleep(0.2)
        raise GatewayNotReady(f"not ready in time:\n{self.log_tail()}")

    def _config(self, model_url: str, agents: Sequence[str]) -> dict[str, Any]:
        """Build the smallest configuration of the gateway's contract; unknown keys stop it."""
        return {
            "gateway": {
                "mode": "local",
                "port": self._port,
                "bind": "loopback",
                "auth": {"mode": "token", "token": self.token},
                "http": {"endpoints": {"responses": {"enabled": True}}},
            },
            "agents": {
                "ownership": "explicit",
                "defaults": {
                    "model": {"primary": f"scripted/{agents[0]}"},
                    "workspace": str(self._folder / "workspace"),
                    "skipBootstrap": True,
                    "heartbeat": {"every": "0m"},
                },
                "entries": {agent: {"model": f"scripted/{agent}"} for agent in agents},
            },
            "tools": {"profile": "minimal", "toolSearch": False},
            "plugins": {"enabled": False},
            "logging": {"file": str(self._folder / "openclaw.log")},
            "models": {
                "mode": "replace",
                "providers": {
                    "scripted": {
                        "baseUrl": model_url,
                        "apiKey": "none",
                        "api": "openai-completions",
                        "models": [_model(agent) for agent in agents],
                    }
                },
            },
        }


def _model(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 128000,
        "maxTokens": 8192,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
