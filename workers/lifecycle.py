"""Dramatiq middleware: drain first at a stop, then close the process's parts."""

import logging
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta
from types import FrameType
from typing import Final

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware

from dispatcher.domain.errors import StoreError
from dispatcher.wiring import Parts
from workers.health import Pulse
from workers.renewer import Renewer

_ONE_SIGNAL_S: Final = 1.0
"""A supervisor may signal the process and its parent, which passes it on: that is one signal."""

_log = logging.getLogger(__name__)


class Lifecycle(Middleware):
    """Lets running turns finish at a stop, and gives the rest back.

    Timeline of a stop: no new claims from the first moment; running turns have the drain time to
    finish; then their asks are closed, their deliveries rest for no time and their claims are
    released, so that another worker takes over at once. A second signal ends the drain time.
    """

    def __init__(self, *, drain: timedelta) -> None:
        self._drain_s = drain.total_seconds()
        self._draining = threading.Event()
        self._hurries_from = 0.0
        self._parts: Parts | None = None
        self._renewer: Renewer | None = None
        self._pulse: Pulse | None = None
        self._worker: Worker | None = None

    def attach(self, parts: Parts, renewer: Renewer, pulse: Pulse) -> None:
        """Give it what it will drain and close."""
        self._parts, self._renewer, self._pulse = parts, renewer, pulse

    def drain_at_sigterm(self) -> None:
        """Claim nothing more from the very signal on; Dramatiq itself hears of it a second later.

        To be called in the main thread, after Dramatiq has set its own handler.
        """
        dramatiq_stops = signal.getsignal(signal.SIGTERM)

        def stop(signum: int, frame: FrameType | None) -> None:
            if self._draining.is_set():
                # Dramatiq would end at once, and nobody could take over before a lease is over.
                self._hurry()
                return
            self._draining.set()
            self._hurries_from = time.monotonic() + _ONE_SIGNAL_S
            if callable(dramatiq_stops):
                dramatiq_stops(signum, frame)

        signal.signal(signal.SIGTERM, stop)

    def _hurry(self) -> None:
        """Give back what still runs; not in the signal handler, which may hold a lock."""
        if self._renewer is not None and time.monotonic() >= self._hurries_from:
            threading.Thread(target=self._renewer.cancel_all, daemon=True).start()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Remember whose threads have to live."""
        self._worker = worker

    def stuck(self) -> tuple[str, ...]:
        """Name what has died of Dramatiq's threads: then no ring is answered any more."""
        worker = self._worker
        if worker is None:
            return ()
        dead = [f"consumer {name}" for name, one in worker.consumers.items() if not one.is_alive()]
        dead += [f"thread {one.name}" for one in worker.workers if not one.is_alive()]
        return tuple(dead)

    @property
    def is_draining(self) -> bool:
        """Say whether the process is about to stop and claims nothing more."""
        return self._draining.is_set()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Stop claiming; close what still runs when the drain time is over."""
        self._draining.set()
        for consumer in worker.consumers.values():
            # Or they would fetch rings that nobody answers any more.
            consumer.pause()
        running = self._renewer.running if self._renewer else 0
        _log.info("draining: %d turns may finish", running, extra={"action": "drain"})
        if self._renewer is not None:
            closer = threading.Timer(self._drain_s, self._renewer.cancel_all)
            closer.daemon = True
            closer.start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Close everything; the process ends now."""
        if self._renewer is not None:
            self._renewer.stop()
        if self._pulse is not None:
            self._pulse.stop()
        if self._parts is not None:
            with suppress(StoreError):
                self._parts.pulses.end(self._parts.process)
            self._parts.close()
        _log.info("stopped", extra={"action": "drain"})
