"""How a worker process shows that it lives: a pulse in Redis, `/livez` and `/metrics` over HTTP."""

import json
import logging
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from prometheus_client import make_wsgi_app

from dispatcher.adapters.redis.pulses import PULSE
from dispatcher.domain.errors import StoreError
from dispatcher.web.serving import make_server
from dispatcher.wiring import Parts

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_SILENT_S: Final = 60.0
_THREADS: Final = 2
_BODY_LIMIT: Final = 1024
"""Nobody sends one."""

_log = logging.getLogger(__name__)


class Pulse:
    """Tells the others, now and then, that this process lives; it depends on nothing else."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._beat_at = parts.clock.monotonic()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Give no more pulses."""
        self._stopped.set()

    def start(self) -> None:
        """Give pulses until the process ends."""
        threading.Thread(target=self._give_for_ever, name="pulse", daemon=True).start()

    def stuck(self) -> tuple[str, ...]:
        """Name the pulse when it has not beaten for a minute; a Redis that is away is no reason."""
        silent_s = self._parts.clock.monotonic() - self._beat_at
        return ("pulse",) if silent_s > _SILENT_S else ()

    def _give_for_ever(self) -> None:
        parts = self._parts
        while not self._stopped.is_set():
            try:
                parts.pulses.give(
                    parts.process, threads=parts.settings.threads, version=parts.version
                )
            except StoreError as error:
                _log.debug("no pulse was given: %s", error, extra={"action": "pulse"})
            self._beat_at = parts.clock.monotonic()
            self._stopped.wait(PULSE.total_seconds())


def serve(parts: Parts, *, stuck: Callable[[], tuple[str, ...]]) -> None:
    """Serve `/livez` and `/metrics` on METRICS_PORT; without them the worker works as well."""
    settings = parts.settings
    metrics = make_wsgi_app(parts.registry)

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/livez":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        names = stuck()
        status = "503 Service Unavailable" if names else "200 OK"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps({"alive": not names, "stuck": list(names)}).encode()]

    try:
        server = make_server(
            app,
            host=settings.health_host,
            port=settings.metrics_port,
            threads=_THREADS,
            body_limit=_BODY_LIMIT,
        )
    except OSError as error:
        _log.warning(
            "no metrics on METRICS_PORT %d: %s",
            settings.metrics_port,
            error.strerror,
            extra={"action": "start"},
        )
        return
    threading.Thread(target=server.run, name="web", daemon=True).start()
    _log.info("metrics on port %d", settings.metrics_port, extra={"action": "start"})
