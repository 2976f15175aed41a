"""The isolated stack of a proof, with its processes as a supervisor sees them."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import httpx

from dispatcher.lab.children import Child
from dispatcher.lab.proof.plan import CREW, Options
from dispatcher.lab.proof.store_look import Held, StoreLook
from dispatcher.lab.proof.troubles import RUNTIMES
from dispatcher.lab.redis_server import RedisServer
from dispatcher.lab.stack import Stack, StackFailed

SETTINGS: Final = {
    "DELIVERY_MAX_CONCURRENT_SESSIONS": ("60", "the claims of the killed take slots"),
    "DELIVERY_MAX_CONCURRENT_PER_AGENT": ("30", "the same"),
    "OPENCLAW_REQUEST_TIMEOUT_MS": ("20000", "a hanging agent shall not take a minute"),
    "DELIVERY_BACKOFF_BASE_MS": ("1000", "failed attempts shall not take minutes"),
    "DELIVERY_BACKOFF_MAX_MS": ("5000", "the same"),
}
"""What differs from the defaults of the product, and why."""

_DELAY_S: Final = "0.3"
_READY_S: Final = 30.0
_CALL_S: Final = 60.0
_LOOK_S: Final = 1.0
_MORE_AGENTS: Final = (("Scout", "scout"), ("Critic", "critic"), ("Builder", "builder"))


class State(StrEnum):
    """How a process is, as far as we know."""

    UP = "up"
    FROZEN = "frozen"
    DOWN = "down"


@dataclass(slots=True)
class Process:
    """A worker or a runtime. ``url`` is where a runtime serves HTTP, empty for a worker."""

    child: Child
    url: str = ""
    state: State = State.UP
    _alarm: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Return its name."""
        return self.child.name

    @property
    def has_ended(self) -> bool:
        """Say whether it should run and does not."""
        return self.state is State.UP and self.child.exit_code is not None

    def kill(self) -> None:
        """End it as a crash would."""
        self.child.kill()
        self.state = State.DOWN

    def start(self) -> None:
        """Start it again."""
        self.child.start()
        self.state = State.UP

    def freeze(self, *, limit_s: float) -> None:
        """Stop it in its tracks, with all that it started.

        Should we be killed meanwhile, nobody would let it go on, and a frozen process cannot even
        hear that it is to end. So an alarm outside of us does it after the limit at the latest.
        """
        script = 'sleep "$0"; kill -CONT -- "-$1"'
        self._alarm = subprocess.Popen(  # noqa: S603 - our own arguments
            ["/bin/sh", "-c", script, f"{limit_s:.0f}", str(self.child.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.child.signal_group(signal.SIGSTOP)
        self.state = State.FROZEN

    def thaw(self) -> None:
        """Let it go on."""
        self.child.signal_group(signal.SIGCONT)
        self.state = State.UP
        if self._alarm is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._alarm.pid, signal.SIGKILL)
            self._alarm.wait()
            self._alarm = None

    def is_home_of(self, held: Held, *, was_killed: bool) -> bool:
        """Say whether a claim is held by this process or by one that it started.

        Args:
            held: The claim.
            was_killed: Then the claim of any process that is gone counts as well.
        """
        try:
            return os.getpgid(held.pid) == self.child.pid
        except OSError:
            return was_killed


class Stage:
    """Starts and ends everything.

    Attributes:
        agents: Id by slug.
        workers, runtimes: The processes.
        store: A look into Redis.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        self._workers = options.workers
        self.stack = Stack(
            folder,
            settings={name: value for name, (value, _) in SETTINGS.items()},
            workers=options.workers,
            sandbox_arguments=("--delay", _DELAY_S),
            keeps_redis=True,
        )
        self._looking = httpx.Client(timeout=_LOOK_S, trust_env=False)
        self._calling = httpx.Client(timeout=_CALL_S, trust_env=False)
        self.agents: dict[str, str] = {}
        self.workers: list[Process] = []
        self.runtimes: list[Process] = []
        self.store: StoreLook

    def start(self) -> None:
        """Start all processes and prepare the crew.

        Raises:
            StackFailed: A part did not come up; what was started is stopped again.
            NoRedisServer: There is no Redis to start.
        """
        self.stack.start()
        try:
            self._complete()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything; the frozen are let go first, or they could not hear of it."""
        for process in self.processes:
            if process.state is State.FROZEN:
                process.thaw()
        self.stack.stop()
        self._looking.close()
        self._calling.close()

    @property
    def processes(self) -> Sequence[Process]:
        """Return all processes that may be struck."""
        return (*self.workers, *self.runtimes)

    @property
    def redis(self) -> RedisServer:
        """Return the private Redis."""
        if self.stack.redis is None:
            raise StackFailed("There is no private Redis.")
        return self.stack.redis

    def leads(self, runtime: Process) -> bool:
        """Ask a runtime whether it leads; one that does not answer does not."""
        if runtime.state is not State.UP:
            return False
        try:
            return bool(self._looking.get(f"{runtime.url}/health").json().get("leads"))
        except (httpx.HTTPError, ValueError):
            return False

    def call(self, part: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Look at the sandbox's own side of ``backend`` or ``gateway``, or change it with a body."""
        url = f"{self.stack.sandbox[part]}{path}"
        answer = self._calling.get(url) if body is None else self._calling.post(url, json=body)
        answer.raise_for_status()
        return answer.json()

    def forget_backend_faults(self) -> None:
        """Let the backend work again."""
        self._calling.delete(f"{self.stack.sandbox['backend']}/human/faults").raise_for_status()

    def _complete(self) -> None:
        stack = self.stack
        self.store = StoreLook(stack.settings["REDIS_URL"], stack.settings["ACCOUNT_ID"])
        if stack.runtime is None:
            raise StackFailed("There is no runtime.")
        self.runtimes = [Process(stack.runtime, stack.url)]
        for _ in range(RUNTIMES - 1):
            standby = stack.add_runtime()
            self.runtimes.append(Process(standby, stack.standby_urls[-1]))
        self.workers = [Process(worker) for worker in stack.workers]
        self._prepare_crew()
        for runtime in self.runtimes:
            self._await_ready(runtime)
            stack.human_waker(runtime.url)

    def _prepare_crew(self) -> None:
        stack = self.stack
        self.agents = dict(stack.sandbox["agents"])
        for name, slug in _MORE_AGENTS:
            self.agents[slug] = stack.human("create_agent", name=name, slug=slug, role="Member")
        # Without a lead nobody listens in on the threads of others.
        stack.human("set_orchestrator", agent=None)
        for slug in CREW:
            stack.human("set_flags", agent=self.agents[slug], flags={"canCreateTasks": True})

    def _await_ready(self, runtime: Process) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if self._looking.get(f"{runtime.url}/readyz").status_code == httpx.codes.OK:
                    return
            time.sleep(0.05)
        raise StackFailed(f"{runtime.name} did not become ready:\n{runtime.child.log_tail()}")
