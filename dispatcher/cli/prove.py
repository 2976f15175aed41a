"""`dispatcher prove`: break everything on purpose, and show that the promises hold."""

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import click
import httpx
import redis

from dispatcher.adapters.clock import MachineClock
from dispatcher.cli.common import Exit, complain, without_tracebacks
from dispatcher.lab.proof.certificate import as_json, as_text, command
from dispatcher.lab.proof.evidence import Evidence
from dispatcher.lab.proof.judge import judge
from dispatcher.lab.proof.performance import limit_s, perform
from dispatcher.lab.proof.plan import Options, choose
from dispatcher.lab.redis_server import NoRedisServer
from dispatcher.lab.stack import StackFailed

_USUAL_REST_S: Final = 30.0
"""Starting, settling and stopping, when all goes well."""


class TookTooLong(Exception):
    """The whole command has a limit, and it is over."""


@click.command(short_help="Break everything on purpose; print a certificate.")
@click.option("--seed", type=int, default=1, show_default=True, help="What everything random follows from.")  # fmt: skip
@click.option(
    "--minutes", type=click.FloatRange(0.4, 600),
    help="How long load and faults last; 2 unless --kills is given.",
)  # fmt: skip
@click.option(
    "--kills", type=click.IntRange(0, 10_000),
    help="How many SIGKILLs of workers and runtimes; one for each 5 seconds unless given. Without "
    "--minutes the run lasts until they are made.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 16), default=3, show_default=True, help="Worker processes.")  # fmt: skip
@click.option("--flush", is_flag=True, help="Let Redis forget everything once, in the middle.")
@click.option("--json", "wants_json", is_flag=True, help="Print the certificate as JSON.")
@without_tracebacks
def prove(
    seed: int,
    minutes: float | None,
    kills: int | None,
    workers: int,
    flush: bool,  # noqa: FBT001 - click gives flags as they are
    wants_json: bool,  # noqa: FBT001 - the same
) -> int:
    """Break everything on purpose, and show that the promises hold.

    Starts an isolated stack on this machine (its own Redis, the sandbox, the scripted gateway,
    workers and two runtimes), lets people write and agents answer, and meanwhile kills and freezes
    processes, restarts Redis, and lets the backend and the gateway fail. Then it compares what was
    asked for with the ledgers of both sides and prints a certificate.

    The seed decides everything that is random. Exit code 1 means that a promise was broken: then
    the story of the first broken delivery is told, and the logs are kept. 69 means that the stack
    itself could not be used.

    \b
    Examples:
      dispatcher prove
      dispatcher prove --kills 200 --seed 1
      dispatcher prove --minutes 2 --seed 7 --json
    """  # noqa: D301 - click's mark for lines that are not to be wrapped
    options = choose(seed=seed, minutes=minutes, kills=kills, workers=workers, flushes=flush)
    folder = Path(tempfile.mkdtemp(prefix="dispatcher-prove-"))
    _say(
        f"{options.kills} kills in {options.seconds:.0f} s of load and faults, about "
        f"{(options.seconds + _USUAL_REST_S) / 60:.1f} minutes in all. Logs: {folder}"
    )
    evidence = _perform(options, folder)
    verdict = judge(evidence)
    logs = None if verdict.is_kept else str(folder)
    if wants_json:
        found = as_json(options, evidence, verdict) | {"logs": logs}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(options, evidence, verdict))
    if verdict.is_kept:
        shutil.rmtree(folder, ignore_errors=True)
        return Exit.OK
    _say(_how_to_repeat(options, folder))
    return Exit.FAILED


def _perform(options: Options, folder: Path) -> Evidence:
    """Run the proof; whatever goes wrong with the stack itself ends the command."""
    try:
        with _limited(limit_s(options)):
            return perform(options, folder, MachineClock(), _say)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        complain("Interrupted; everything is stopped.", Exit.FAILED)
    except TookTooLong as error:
        _say(_how_to_repeat(options, folder))
        complain(str(error), Exit.FAILED)
    except (
        NoRedisServer,
        StackFailed,
        RuntimeError,
        OSError,
        httpx.HTTPError,
        redis.RedisError,
    ) as error:
        _say(_how_to_repeat(options, folder))
        complain(f"The stack failed: {type(error).__name__}: {error}", Exit.UNAVAILABLE)


def _how_to_repeat(options: Options, folder: Path) -> str:
    return f"Repeat it with: {command(options)}\nLogs and evidence are kept in {folder}"


def _say(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into a KeyboardInterrupt, and the end of the time into an error.

    SIGINT as well: a shell that starts a program in the background lets it ignore that signal.
    """

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    def expire(*_: object) -> NoReturn:
        raise TookTooLong(f"the proof was not over after {seconds:.0f} s")

    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGALRM: expire}
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for signum, handler in before.items():
            signal.signal(signum, handler)
