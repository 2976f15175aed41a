"""`dispatcher worker`: becomes Dramatiq with our boot function."""

import os
import sys
from typing import NoReturn

import click

from dispatcher.adapters.bell import QUEUE
from dispatcher.cli.common import read_settings, without_tracebacks
from dispatcher.cli.run import refuse_unusable_redis

_AFTER_THE_DRAIN_MS = 15_000


@click.command()
@without_tracebacks
def worker() -> NoReturn:
    """Run a worker: it asks the agents and writes their replies back.

    Its size comes from WORKER_PROCESSES and WORKER_THREADS; start more workers to scale. SIGTERM
    lets running turns finish within DRAIN_TIMEOUT_MS; a second one ends at once.
    """
    settings = read_settings("worker")
    refuse_unusable_redis(settings)
    arguments = [
        "dramatiq",
        "workers.main:boot",
        "--processes", str(settings.worker_processes),
        "--threads", str(settings.worker_threads),
        "--queues", QUEUE,
        "--worker-shutdown-timeout", str(settings.drain_ms + _AFTER_THE_DRAIN_MS),
        "--skip-logging",
    ]  # fmt: skip
    # Dramatiq reads this when it is imported. Its default, twice the threads, would let a busy
    # worker hoard rings that an idle one could answer.
    os.environ["dramatiq_queue_prefetch"] = str(settings.worker_threads)  # noqa: TID251, SIM112
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606 - our own arguments
