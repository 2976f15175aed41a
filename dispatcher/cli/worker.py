"""`dispatcher worker`: becomes Dramatiq with our boot function, or keeps several of them running."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NoReturn

import click

from dispatcher.adapters.bell import QUEUE
from dispatcher.adapters.redis.connection import connect
from dispatcher.adapters.redis.restarts import RedisRestarts
from dispatcher.adapters.redis.steps import Steps
from dispatcher.cli.common import Exit, read_settings, without_tracebacks
from dispatcher.cli.run import refuse_unusable_redis
from dispatcher.domain.ids import AccountId
from dispatcher.runtime.orphans import dying_with_us
from dispatcher.runtime.restarts import RestartWatch
from dispatcher.settings import Settings

_AFTER_THE_DRAIN_MS = 15_000
_START_AGAIN_S = 1.0


@click.command(short_help="Run a worker: it asks agents.")
@without_tracebacks
def worker() -> int:
    """Run a worker: it asks the agents and writes their replies back.

    Its size comes from WORKER_PROCESSES and WORKER_THREADS; start more workers to scale. SIGTERM
    lets running turns finish within DRAIN_TIMEOUT_MS; a second one ends at once.
    """
    settings = read_settings("worker")
    refuse_unusable_redis(settings)
    if settings.worker_processes == 1:
        _become_dramatiq(settings)
    return _keep_running(settings)


def _become_dramatiq(settings: Settings) -> NoReturn:
    arguments = [
        "dramatiq",
        "workers.main:boot",
        "--processes", "1",
        "--threads", str(settings.threads),
        "--queues", QUEUE,
        "--worker-shutdown-timeout", str(settings.drain_ms + _AFTER_THE_DRAIN_MS),
        "--skip-logging",
    ]  # fmt: skip
    # Dramatiq reads this when it is imported. Its default, twice the threads, would let a busy
    # worker hoard rings that an idle one could answer.
    os.environ["dramatiq_queue_prefetch"] = str(settings.threads)  # noqa: TID251, SIM112
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606 - our own arguments


def _keep_running(settings: Settings) -> int:
    """Keep so many workers of one process running, and start one that died again.

    Dramatiq could run several processes itself, but stops all of them when one dies.
    """
    # Not an event: a signal handler that sets one deadlocks when it interrupts the wait for it.
    ends: SimpleQueue[None] = SimpleQueue()
    is_told = is_over = False
    children: dict[int, subprocess.Popen[bytes]] = {}

    def end_all() -> None:
        for child in children.values():
            child.terminate()

    def stop(*_: object) -> None:
        nonlocal is_told
        if is_told:
            # The second one hurries the children as well.
            end_all()
        is_told = True
        ends.put(None)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    watch = _watch(settings, lambda: ends.put(None))
    while not is_over:
        for number in range(settings.worker_processes):
            found = children.get(number)
            if (found is None or found.poll() is not None) and not is_told:
                children[number] = _start(settings, number)
        watch()
        with suppress(Empty):
            is_over = ends.get(timeout=_START_AGAIN_S) is None
    # Not in the handler, which would miss a child that is being started.
    end_all()
    codes = [_exit_code(child) for child in children.values()]
    return Exit.FAILED if any(codes) else Exit.OK


def _exit_code(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child, with a limit: a signal just before a wait without one goes unheard."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(1)


def _watch(settings: Settings, stop: Callable[[], None]) -> Callable[[], None]:
    """Give a function that looks once whether all processes are called to end."""
    if settings.upgrade_mode != "exit":
        return lambda: None
    client = connect(settings.redis_url, max_connections=1, timeout_s=1.0)
    prefix = Steps(client, AccountId(settings.account_id)).prefix
    return RestartWatch(RedisRestarts(client, prefix), stop).look


def _start(settings: Settings, number: int) -> subprocess.Popen[bytes]:
    # We listen for restarts ourselves: two who end the same child would cut off its turns.
    own = {
        "WORKER_PROCESSES": "1",
        "METRICS_PORT": str(settings.metrics_port + number),
        "UPGRADE_MODE": "parent",
    }
    environment = dict(os.environ) | own  # noqa: TID251 - handed on, not read
    return subprocess.Popen(
        [sys.executable, "-m", "dispatcher", "worker"],
        env=environment,
        # Nobody would tell an orphan to end when all are called to.
        preexec_fn=dying_with_us(),  # noqa: PLW1509 - it only sets a flag of the kernel
    )
