"""One case's processes: Redis, the stand-in, the runtime and the workers."""

import json
import os
from pathlib import Path
from typing import Any, Final, Self

import httpx
import redis

from dispatcher.adapters.redis.connection import connect
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.adapters.wire import read_page
from dispatcher.domain.delivery import entry_of
from dispatcher.domain.ids import AccountId
from dispatcher.lab.bench.cases import ALWAYS, Case
from dispatcher.lab.bench.meter import Group, Reading, busy_s, redis_counts
from dispatcher.lab.bench.rows import ACCOUNT, SERVICE_TOKEN
from dispatcher.lab.children import Child
from dispatcher.lab.redis_server import RedisServer
from dispatcher.lab.stack import Stack, StackFailed
from dispatcher.ports import Clock
from dispatcher.wiring import milliseconds

_PAGE: Final = 500
_LEASE_MS: Final = 12_000


class Stage:
    """The program as it is deployed, with a Redis of its own that keeps an append-only file."""

    def __init__(self, folder: Path, case: Case, clock: Clock) -> None:
        self._case = case
        self._clock = clock
        self._redis = RedisServer(folder / "redis", append_only=True)
        self._stand_in = Child("stand-in", self._arguments(), folder=folder, settings={})
        self._folder = folder
        self._stack: Stack | None = None
        self._client = httpx.Client(timeout=30, trust_env=False)
        self._look = redis.Redis(port=self._redis.port)
        self.groups: dict[str, Group] = {}

    def _arguments(self) -> tuple[str, ...]:
        case = self._case
        return (
            "dispatcher.lab.bench.stand_in",
            "--run-s", str(case.run_s),
            "--agents", str(case.agents),
            "--fails-every", str(case.fails_every),
            "--hanging", *(str(case.conversations + number) for number in range(case.hanging)),
        )  # fmt: skip

    def start(self) -> Self:
        """Start everything and wait until the runtime is ready.

        Raises:
            StackFailed: A part did not come up; what was started is stopped again.
            NoRedisServer: There is no Redis to start.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._redis.start()
            self._client.base_url = self._start_stand_in()
            if self._case.stored:
                self._store()
            self._stack = Stack(
                self._folder, settings=self._settings(), workers=self._case.workers
            ).start()
        except BaseException:
            self.stop()
            raise
        self.groups = self._all_groups(self._stack)
        return self

    def _start_stand_in(self) -> str:
        line = self._stand_in.start(reads_output=True).first_line()
        if not line:
            raise StackFailed(f"The stand-in did not start:\n{self._stand_in.log_tail()}")
        return str(json.loads(line)["url"])

    def stop(self) -> None:
        """Stop everything that was started."""
        if self._stack is not None:
            self._stack.stop()
        self._stand_in.stop(within_s=2)
        self._redis.stop()
        self._look.close()
        self._client.close()

    def notify(self, conversations: list[int]) -> list[dict[str, Any]]:
        """Create a notification for each conversation named."""
        answer = self._client.post("/bench/notify", json={"conversations": conversations})
        found: list[dict[str, Any]] = answer.json()
        return found

    def progress(self) -> dict[str, Any]:
        """Ask the stand-in how far everything is; see that nobody of ours has ended."""
        for child in (self._stack.runtime, *self._stack.workers) if self._stack else ():
            if child is not None and child.exit_code is not None:
                raise StackFailed(f"{child.name} ended by itself:\n{child.log_tail()}")
        found: dict[str, Any] = self._client.get("/bench/progress").json()
        return found

    def ledger(self) -> list[list[Any]]:
        """Return all rows of the stand-in; see ``Rows.ledger``."""
        found: list[list[Any]] = self._client.get("/bench/ledger").json()
        return found

    def read(self) -> Reading:
        """Read what everybody has used so far."""
        commands, scripts = redis_counts(self._look)
        seen = self.progress()
        return Reading(
            at_s=self._clock.monotonic(),
            cpu_s={name: group.cpu_s() for name, group in self.groups.items()},
            busy_s=busy_s(),
            commands=commands,
            scripts=scripts,
            calls=seen["calls"],
            delivered=seen["delivered"],
        )

    def _settings(self) -> dict[str, str]:
        url = str(self._client.base_url).rstrip("/")
        ours = {
            "REDIS_URL": self._redis.url,
            "CONVEX_URL": url,
            "ACCOUNT_ID": ACCOUNT,
            "SERVICE_TOKEN": SERVICE_TOKEN,
            "OPENCLAW_GATEWAY_URL": url,
            "ALLOW_VOLATILE_REDIS": "false",
        }
        return ours | ALWAYS | dict(self._case.settings)

    def _store(self) -> None:
        """Put deliveries into the store as the poller would, had the backend listed them."""
        numbers = [at % self._case.conversations for at in range(self._case.stored)]
        rows = self.notify(numbers)
        client = connect(self._redis.url, max_connections=1)
        mailboxes = RedisMailboxes(
            client, account=AccountId(ACCOUNT), lease=milliseconds(_LEASE_MS), worker="-"
        )
        mailboxes.open()
        for at in range(0, len(rows), _PAGE):
            mailboxes.put([entry_of(row) for row in read_page(rows[at : at + _PAGE]).rows])
        client.close()

    def _all_groups(self, stack: Stack) -> dict[str, Group]:
        runtime = stack.runtime.pid if stack.runtime else 0
        return {
            "runtime": Group((runtime,)),
            "worker": Group(tuple(worker.pid for worker in stack.workers)),
            "redis": Group((self._redis.pid or 0,)),
            "stand-in": Group((self._stand_in.pid,)),
            "driver": Group((os.getpid(),), is_alone=True),
        }
