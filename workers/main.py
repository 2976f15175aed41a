"""Boots one worker process; named on Dramatiq's command line as ``workers.main:boot``."""

import gc
import logging
import os
import signal
import sys
import threading
from datetime import timedelta

import dramatiq
from dramatiq.middleware import TimeLimit

from dispatcher.adapters.logs import set_up_logs
from dispatcher.adapters.redis.connection import check_server
from dispatcher.domain.errors import StoreUnavailable
from dispatcher.prompts import warm_up
from dispatcher.runtime.restarts import WATCH, RestartWatch
from dispatcher.settings import load_settings
from dispatcher.wiring import CEILING_MARGIN, Parts, claim_ceiling, milliseconds, wire
from workers.actors import declare_actors
from workers.desk import make_desk, make_renewer
from workers.health import Pulse, serve
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
        middleware=(TimeLimit(time_limit=_ms(ceiling + CEILING_MARGIN)), lifecycle),
    )
    renewer = make_renewer(parts)
    pulse = Pulse(parts)
    lifecycle.attach(parts, renewer, pulse)
    lifecycle.drain_at_sigterm()
    try:
        check_server(parts.redis, allow_volatile=settings.allow_volatile_redis)
        parts.mailboxes.open()
    except StoreUnavailable as error:
        _log.warning("%s; waiting for it", error, extra={"action": "start"})
    warm_up()
    desk = make_desk(parts, renewer, quarantine=ProcessQuarantine())
    declare_actors(
        parts.broker, desk=desk, lifecycle=lifecycle, time_limit=ceiling + CEILING_MARGIN
    )
    dramatiq.set_broker(parts.broker)
    renewer.start()
    pulse.start()
    _spare_the_collector()
    if settings.upgrade_mode == "exit":
        _watch_restarts(parts)
    parts.tally.watch("worker_turns", lambda: renewer.running)
    serve(parts, stuck=lambda: (*lifecycle.stuck(), *pulse.stuck()))


def _spare_the_collector() -> None:
    """Leave what is there after the start alone, and look for cycles less often: we make few."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _watch_restarts(parts: Parts) -> None:
    """End in good order when all processes are called to: by a signal to Dramatiq, our parent."""
    dramatiq = os.getppid()

    def end() -> None:
        # Without it there is nobody who would start us again, and its number may be another's.
        os.kill(dramatiq if os.getppid() == dramatiq else os.getpid(), signal.SIGTERM)

    watch = RestartWatch(parts.restarts, end)

    def look_for_ever() -> None:
        while True:
            watch.look()
            parts.clock.sleep(WATCH)

    threading.Thread(target=look_for_ever, name="restart-watch", daemon=True).start()


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
