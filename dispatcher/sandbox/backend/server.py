"""The stand-in backend as one object: start it, use its URL, act as its people, break it."""

import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from dispatcher.sandbox.backend import demo, wire
from dispatcher.sandbox.backend.calls import Call, run
from dispatcher.sandbox.backend.counts import CallCounts
from dispatcher.sandbox.backend.errors import FunctionError, TransportError
from dispatcher.sandbox.backend.faults import ANSWERS, Dropped, Fault, Faults
from dispatcher.sandbox.backend.handler import handler_for
from dispatcher.sandbox.backend.human.http import PREFIX, HumanSide
from dispatcher.sandbox.backend.human.world import World
from dispatcher.sandbox.backend.runtime_status import sweep_stale
from dispatcher.sandbox.backend.store import Doc, Store
from dispatcher.sandbox.serving import SandboxServer

_ACTION: Final = "/api/action"
_SWEEP_EVERY_S: Final = 5.0


class SandboxBackend:
    """A Convex backend on loopback.

    Attributes:
        world: The human side.
        faults: What is to go wrong.
        wakers: Called after a person did something that can create notifications.
        style: How function errors are told; may be replaced at any time.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        port: int = 0,
        production: bool = False,
        # The stand-in is a process of its own; this is the one place where it meets real time.
        clock: Callable[[], float] = time.time,  # noqa: TID251 - the default of an argument
    ) -> None:
        self.style = wire.Style(redacted=production)
        self.faults = Faults()
        self.wakers: list[Callable[[], None]] = []
        self._clock = clock
        self._counts = CallCounts()
        self._store = Store(path, clock)
        self.world = World(self._store, self.wakers, self._counts)
        self._human = HumanSide(self.world, self.faults, self.wakers)
        self._stopped = False
        self._sweep_lock = threading.Lock()
        self._swept_at = clock()
        self._server = SandboxServer(handler_for(self._respond), port=port)

    @property
    def url(self) -> str:
        """Return the deployment origin, without a trailing slash."""
        return self._server.url

    def start(self) -> Self:
        """Listen in the background until ``stop``."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop listening and close the database; connections that are kept alive are cut."""
        self._stopped = True
        self._server.stop()
        self._store.close()

    def seed_demo(self) -> Doc:
        """Create or find the demo account; see ``demo.seed``."""
        return demo.seed(self._store, self.world)

    def sweep_runtimes(self, now_ms: float | None = None) -> int:
        """Take silent runtimes offline, as the backend does every 30 s.

        Args:
            now_ms: The time to judge by; the clock's when left out.

        Returns:
            How many accounts were swept.
        """
        return sweep_stale(self._store, self._clock() * 1000 if now_ms is None else now_ms)

    def _respond(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> wire.Answer:
        if self._stopped:
            raise Dropped
        path = urlsplit(target).path
        if path.startswith(PREFIX):
            return self._human.respond(method, target, headers, body)
        if path != _ACTION:
            return wire.Answer(HTTPStatus.NOT_FOUND)
        if method != "POST":
            return wire.Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return self._act(headers, body)
        except TransportError as error:
            return wire.transport_error(error)

    def _act(self, headers: Mapping[str, str], body: bytes) -> wire.Answer:
        call, wanted_format = wire.parse(headers, body)
        self._counts.add(call.account, call.action)
        self._sweep_now_and_then()
        try:
            answer = wire.success(self._run(call, self.faults.take(call.action)))
        except (TransportError, Dropped):
            raise
        except FunctionError as error:
            answer = wire.function_error(error, call, self.style)
        except Exception as error:
            # A slip of ours looks like a slip of theirs.
            raise TransportError(*ANSWERS["500"]) from error
        # Only now, as the backend does: the side effects have happened.
        wire.check_format(wanted_format)
        return answer

    def _run(self, call: Call, fault: Fault | None) -> object:
        if fault is not None and not fault.committed:
            fault.strike()
        try:
            return run(self._store, call)
        finally:
            if fault is not None and fault.committed:
                fault.strike()

    def _sweep_now_and_then(self) -> None:
        with self._sweep_lock:
            now = self._clock()
            if now - self._swept_at < _SWEEP_EVERY_S:
                return
            self._swept_at = now
        self.sweep_runtimes()
