"""The whole program on one machine: Redis, sandbox, runtime and workers as real processes."""

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import httpx

from dispatcher.lab.children import Child
from dispatcher.lab.redis_server import RedisServer, free_port

_START_S: Final = 30.0
_DRAIN_MS: Final = 5_000


class StackFailed(Exception):
    """A part of the stack did not come up; the text says which and ends with its last lines."""


class Stack:
    """Starts what is not given: each part can be replaced by a real one through its settings.

    Attributes:
        settings: The variables that runtime and workers see.
        standbys: Further runtimes.
        sandbox: What the sandbox said of itself: URLs, account, people, agents.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        workers: int = 1,
        sandbox_arguments: tuple[str, ...] = (),
        keeps_redis: bool = False,
    ) -> None:
        """Prepare a stack; nothing runs before ``start``.

        Args:
            folder: For logs and data.
            settings: Variables for runtime and workers, which also replace parts of the stack.
            workers: How many to start.
            sandbox_arguments: For its command line.
            keeps_redis: Its Redis keeps an append-only file, and the program insists on it.
        """
        self._folder = folder
        self._given = dict(settings or {})
        self._sandbox_arguments = sandbox_arguments
        self._sandbox: Child | None = None
        self._client = httpx.Client(timeout=5, trust_env=False)
        self.redis: RedisServer | None = None
        self.settings: dict[str, str] = {}
        self.sandbox: dict[str, Any] = {}
        self.runtime: Child | None = None
        self.workers: list[Child] = []
        self.standbys: list[Child] = []
        self.standby_urls: list[str] = []
        self._metrics_ports: list[int] = []
        self._worker_count = workers
        self._keeps_redis = keeps_redis

    @property
    def url(self) -> str:
        """Return where the runtime serves HTTP."""
        return f"http://127.0.0.1:{self.settings['HEALTH_PORT']}"

    @property
    def has_sandbox(self) -> bool:
        """Say whether the backend is the sandbox's."""
        return "backend" in self.sandbox

    def start(self) -> Self:
        """Start all parts and wait until the runtime is ready.

        Raises:
            StackFailed: A part did not come up; what was started is stopped again.
            NoRedisServer: There is no Redis to start.
        """
        try:
            self._start_parts()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop everything that was started, our processes first, and wait for the end of each."""
        ours = [child for child in (*self.workers, *self.standbys, self.runtime) if child]
        for child in ours:
            child.terminate()
        for child in (*ours, *([self._sandbox] if self._sandbox else [])):
            child.stop(within_s=_DRAIN_MS / 1000 + 5)
        if self.redis is not None:
            self.redis.stop()
        self._client.close()

    def add_worker(self) -> Child:
        """Start one more worker process."""
        self._metrics_ports.append(free_port())
        settings = self.settings | {"METRICS_PORT": str(self._metrics_ports[-1])}
        name = f"worker{len(self.workers) + 1}"
        worker = Child(name, ("dispatcher", "worker"), folder=self._folder, settings=settings)
        self.workers.append(worker.start())
        return worker

    def start_runtime(self) -> Child:
        """Start the runtime process, the first time or again."""
        self.runtime = Child(
            "runtime", ("dispatcher", "run"), folder=self._folder, settings=self.settings
        ).start()
        return self.runtime

    def add_runtime(self) -> Child:
        """Start one more runtime, which stands by; ``runtime`` stays the first one."""
        settings = self.settings | {"HEALTH_PORT": str(free_port())}
        name = f"runtime{len(self.standbys) + 2}"
        standby = Child(name, ("dispatcher", "run"), folder=self._folder, settings=settings)
        self.standbys.append(standby.start())
        self.standby_urls.append(f"http://127.0.0.1:{settings['HEALTH_PORT']}")
        return standby

    def worker_metrics_url(self, number: int) -> str:
        """Return where a worker serves its metrics."""
        return f"http://127.0.0.1:{self._metrics_ports[number]}/metrics"

    def human(self, operation: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        """Act as the sandbox's person; see its human side for the operations."""
        url = f"{self.sandbox['backend']}/human/{operation}"
        body = {"account": self.sandbox["accountId"], **arguments}
        return _json(self._client.post(url, json=body))

    def ledger(self) -> dict[str, Any]:
        """Return the sandbox backend's messages, notifications and counted calls."""
        url = f"{self.sandbox['backend']}/human/ledger"
        found: dict[str, Any] = _json(
            self._client.get(url, params={"account": self.sandbox["accountId"]})
        )
        return found

    def asks(self) -> list[dict[str, Any]]:
        """Return the scripted gateway's ledger of asks."""
        found: list[dict[str, Any]] = _json(
            self._client.get(f"{self.sandbox['gateway']}/sandbox/ledger")
        )
        return found

    def health(self, url: str | None = None) -> dict[str, Any]:
        """Return the health report of a runtime, else of the first one."""
        found: dict[str, Any] = self._client.get(f"{url or self.url}/health").json()
        return found

    def await_ready(self) -> None:
        """Wait until the runtime is ready.

        Raises:
            StackFailed: A process ended, or it took too long.
        """
        deadline = time.monotonic() + _START_S
        problems: object = "it does not answer yet"
        while time.monotonic() < deadline:
            for child in (self.runtime, *self.workers):
                if child is not None and child.exit_code is not None:
                    raise StackFailed(
                        f"{child.name} ended with exit code {child.exit_code}:\n{child.log_tail()}"
                    )
            try:
                answer = self._client.get(f"{self.url}/readyz")
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code == httpx.codes.OK:
                return
            problems = answer.json().get("problems")
            time.sleep(0.05)
        raise StackFailed(f"The runtime did not become ready: {problems}")

    def _start_parts(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if "REDIS_URL" not in self._given:
            folder = self._folder / "redis"
            self.redis = RedisServer(folder, append_only=self._keeps_redis).start()
        self._start_sandbox()
        self.settings = self._all_settings()
        self.start_runtime()
        for _ in range(self._worker_count):
            self.add_worker()
        self.await_ready()
        if self.has_sandbox:
            self.human_waker()

    def human_waker(self, url: str | None = None) -> None:
        """Let the sandbox wake a runtime, else the first, whenever a person does something."""
        wakers = f"{self.sandbox['backend']}/human/wakers"
        token = self.settings["CONSOLE_TOKEN"]
        _json(self._client.post(wakers, json={"url": f"{url or self.url}/wake", "token": token}))

    def _start_sandbox(self) -> None:
        arguments = ["dispatcher.sandbox", *self._sandbox_arguments]
        left_out = {"CONVEX_URL": "--no-backend", "OPENCLAW_GATEWAY_URL": "--no-gateway"}
        arguments += [option for name, option in left_out.items() if name in self._given]
        if len(arguments) >= 3 and set(left_out.values()) <= set(arguments):
            return
        self._sandbox = Child("sandbox", arguments, folder=self._folder, settings={})
        line = self._sandbox.start(reads_output=True).first_line()
        if not line:
            raise StackFailed(f"The sandbox did not start:\n{self._sandbox.log_tail()}")
        self.sandbox = json.loads(line)

    def _all_settings(self) -> dict[str, str]:
        settings = {
            "CONSOLE_TOKEN": secrets.token_urlsafe(24),
            "ALLOW_VOLATILE_REDIS": "false" if self._keeps_redis else "true",
            "DRAIN_TIMEOUT_MS": str(_DRAIN_MS),
            # What happens in a stack is what somebody asked for.
            "HEARTBEATS": "false",
        }
        if self.redis is not None:
            settings["REDIS_URL"] = self.redis.url
        if self.has_sandbox:
            settings |= {
                "CONVEX_URL": self.sandbox["backend"],
                "ACCOUNT_ID": self.sandbox["accountId"],
                "SERVICE_TOKEN": self.sandbox["serviceToken"],
                "SANDBOX_URL": self.sandbox["backend"],
            }
        if "gateway" in self.sandbox:
            settings["OPENCLAW_GATEWAY_URL"] = self.sandbox["gateway"]
        settings |= self._given
        settings.setdefault("HEALTH_PORT", str(free_port()))
        return settings


def _json(response: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    answer = response.json()
    if response.is_error:
        raise StackFailed(f"The sandbox refused: {answer.get('error')}")
    return answer
