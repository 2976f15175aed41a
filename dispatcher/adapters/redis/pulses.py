"""Signs of life of our processes, and what the leading runtime tells of itself."""

import json
from datetime import timedelta
from typing import Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.redis.forms import milliseconds
from dispatcher.adapters.redis.steps import Steps
from dispatcher.adapters.redis.survey import dump_report
from dispatcher.domain.standing import Report

PULSE: Final = timedelta(seconds=5)
"""How often a process gives one."""

_FORGOTTEN: Final = timedelta(minutes=10)
_REPORT_COUNTS: Final = timedelta(seconds=30)


class RedisPulses:
    """Every method may raise ``StoreUnavailable``."""

    def __init__(self, client: redis.Redis, steps: Steps) -> None:
        self._client = client
        self._steps = steps

    def give(self, worker: str, *, threads: int, version: str) -> None:
        """Note that a worker process lives."""
        facts = json.dumps({"threads": threads, "version": version})
        self._steps.run("pulse", worker, facts, milliseconds(_FORGOTTEN))

    def end(self, worker: str) -> None:
        """Forget a worker that ends in good order."""
        self._steps.run("pulse", worker, "", milliseconds(_FORGOTTEN))

    def report(self, report: Report) -> None:
        """Keep how the leading runtime finds itself, for half a minute."""
        with translated_errors():
            self._client.set(
                f"{self._steps.prefix}report", dump_report(report), px=milliseconds(_REPORT_COUNTS)
            )
