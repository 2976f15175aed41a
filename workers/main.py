"""Boots one worker process; named on Dramatiq's command line as ``workers.main:boot``."""

import logging
import os
import signal
import sys
import threading
from datetime import timedelta

import dramatiq
from dramatiq.middleware import TimeLimit
from prometheus_client import CollectorRegistry, start_http_server

from dispatcher.adapters.logs import set_up_logs
from dispatcher.adapters.redis.connection import check_server
from dispatcher.adapters.redis.pulses import PULSE
from dispatcher.domain.errors import StoreError, StoreUnavailable
from dispatcher.runtime.restarts import WATCH, RestartWatch
from dispatcher.settings import Settings, load_settings
from dispatcher.wiring import CEILING_MARGIN, Parts, claim_ceiling, milliseconds, wire
from workers.actors import declare_actors
from workers.desk import make_desk, make_renewer
from workers.lifecycle import Lifecycle
from workers.quarantine import ProcessQuarantine

_log = logging.getLogger(__name__)


def boot() -> None:
    """Wire the process and hand Dramatiq its broker.

    The settings were checked by ``dispatcher worker`` before; what is wrong here is a defect.
    """
    settings = load_settings()
    set_up_logs(level=settings.log_level, process="worker", stream=sys.stderr)
    ceiling = claim_ceiling(settings)
    lifecycle = Lifecycle(drain=milliseconds(settings.drain_ms))
    parts = wire(
        settings,
        threads=settings.worker_threads,
        middleware=(TimeLimit(time_limit=_ms(ceiling + CEILING_MARGIN)), lifecycle),
    )
    renewer = make_renewer(parts)
    lifecycle.attach(parts, renewer)
    lifecycle.drain_at_sigterm()
    try:
        check_server(parts.redis, allow_volatile=settings.allow_volatile_redis)
        parts.mailboxes.open()
    except StoreUnavailable as error:
        _log.warning("%s; waiting for it", error, extra={"action": "start"})
    desk = make_desk(parts, renewer, quarantine=ProcessQuarantine())
    declare_actors(
        parts.broker, desk=desk, lifecycle=lifecycle, time_limit=ceiling + CEILING_MARGIN
    )
    dramatiq.set_broker(parts.broker)
    renewer.start()
    _give_pulses(parts)
    if settings.upgrade_mode == "exit":
        _watch_restarts(parts)
    parts.tally.watch("worker_turns", lambda: renewer.running)
    _expose(parts.registry, settings)


def _give_pulses(parts: Parts) -> None:
    """Tell the others, now and then, that this process lives; it must not depend on anything."""

    def give_for_ever() -> None:
        while True:
            try:
                parts.pulses.give(
                    parts.process, threads=parts.settings.worker_threads, version=parts.version
                )
            except StoreError as error:
                _log.debug("no pulse was given: %s", error, extra={"action": "pulse"})
            parts.clock.sleep(PULSE)

    threading.Thread(target=give_for_ever, name="pulse", daemon=True).start()


def _watch_restarts(parts: Parts) -> None:
    """End in good order when all processes are called to: by a signal to Dramatiq, our parent."""
    watch = RestartWatch(parts.restarts, lambda: os.kill(os.getppid(), signal.SIGTERM))

    def look_for_ever() -> None:
        while True:
            watch.look()
            parts.clock.sleep(WATCH)

    threading.Thread(target=look_for_ever, name="restart-watch", daemon=True).start()


def _expose(registry: CollectorRegistry, settings: Settings) -> None:
    """Serve the metrics; without them the worker works as well."""
    try:
        start_http_server(settings.metrics_port, addr=settings.health_host, registry=registry)
    except OSError as error:
        _log.warning(
            "no metrics on METRICS_PORT %d: %s",
            settings.metrics_port,
            error.strerror,
            extra={"action": "start"},
        )
    else:
        _log.info("metrics on port %d", settings.metrics_port, extra={"action": "start"})


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
