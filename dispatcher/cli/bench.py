"""`dispatcher bench`: measure the program as it is deployed, and hold it to its budgets."""

import json
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click
import httpx
import redis

from dispatcher.adapters.clock import MachineClock
from dispatcher.cli.common import Exit, complain, without_tracebacks
from dispatcher.cli.screen import stdout
from dispatcher.lab.bench.cases import SCENARIOS, SHORT, Scenario
from dispatcher.lab.redis_server import NoRedisServer
from dispatcher.lab.stack import StackFailed
from dispatcher.wiring import package_version

_json = click.option(
    "--json", "wants_json", is_flag=True, help="Print one JSON document a scenario."
)
_keep = click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path),
    help="Write each document into this folder as SCENARIO.json, for `bench compare`.",
)  # fmt: skip


@click.group(short_help="Measure it as it is deployed; compare two runs.")
def bench() -> None:
    """Measure the program as it is deployed, and hold it to its budgets.

    Starts a runtime, workers and a Redis of their own against a stand-in for Convex and the gateway
    that costs little itself, and measures from outside. Every port is a free one, all of it is on
    this machine, and all of it is stopped at the end, also by Ctrl-C: what was measured until then is
    printed, and marked as partial.

    Exit code 1 means that a budget was not kept, 69 that the stack could not be used.

    \b
    Examples:
      dispatcher bench short
      dispatcher bench overhead --json > before.json
      dispatcher bench compare before.json after.json
    """  # noqa: D301 - click's mark for lines that are not to be wrapped


def _command(name: str, text: str, scenarios: Sequence[Scenario]) -> click.Command:
    @click.command(name, short_help=text, help=f"Run {name}: {text}.")
    @_json
    @_keep
    @without_tracebacks
    def run(wants_json: bool, output: Path | None) -> int:  # noqa: FBT001 - click gives flags so
        return _run(scenarios, wants_json=wants_json, output=output)

    return run


for _scenario in SCENARIOS.values():
    bench.add_command(_command(_scenario.name, _scenario.text, (_scenario,)))
bench.add_command(
    _command(
        "short",
        f"{', '.join(SHORT)}, in under five minutes",
        tuple(SCENARIOS[one] for one in SHORT),
    )
)
bench.add_command(_command("all", "every scenario", tuple(SCENARIOS.values())))


@bench.command("compare", short_help="Ratios of two documents.")
@click.argument("a", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("b", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@without_tracebacks
def compare(a: Path, b: Path) -> int:
    """Compare two documents that `bench SCENARIO --json` printed: B in ratio to A."""
    report, _ = _tools()
    one, other = _read(a), _read(b)
    if one["scenario"] != other["scenario"]:
        raise click.UsageError(f"{a} is of {one['scenario']}, {b} of {other['scenario']}.")
    stdout().print(report.compare(one, other))
    return Exit.OK


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        _ = [case["facts"]["speed"] for case in found["cases"]], found["scenario"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise click.UsageError(
            f"{path} is no document of `dispatcher bench SCENARIO --json`."
        ) from error
    return dict(found)


def _run(scenarios: Sequence[Scenario], *, wants_json: bool, output: Path | None) -> int:
    report, run_case = _tools()
    code, folder = Exit.OK, Path(tempfile.mkdtemp(prefix="dispatcher-bench-"))
    with _interruptible():
        for scenario in scenarios:
            results, is_over = _results(scenario, folder, run_case)
            found = report.document(scenario, results, version=package_version())
            if wants_json:
                click.echo(json.dumps(found, indent=2, ensure_ascii=False))
            else:
                report.show(found, stdout())
            if output is not None:
                output.mkdir(parents=True, exist_ok=True)
                text = json.dumps(found, indent=2, ensure_ascii=False)
                (output / f"{scenario.name}.json").write_text(text + "\n", encoding="utf-8")
            if not report.is_kept(found):
                code = Exit.FAILED
            if is_over:
                click.echo("Interrupted; everything is stopped.", err=True)
                break
    shutil.rmtree(folder, ignore_errors=True)
    return code


def _results(
    scenario: Scenario, folder: Path, run_case: Callable[..., Any]
) -> tuple[list[Any], bool]:
    """Run the cases of a scenario; say as well whether somebody wants no more."""
    results: list[Any] = []
    for number, case in enumerate(scenario.cases):
        place = folder / f"{scenario.name}-{number}"
        try:
            result = run_case(case, place, MachineClock(), lambda text: click.echo(text, err=True))
        except KeyboardInterrupt as interrupt:
            # One that came at the very end brings what was measured.
            late = getattr(interrupt, "result", None)
            return [*results, *([late] if late else [])], True
        except (NoRedisServer, StackFailed, RuntimeError, OSError, httpx.HTTPError,
                redis.RedisError) as error:  # fmt: skip
            complain(
                f"The stack failed: {error}\nIts logs are in {place}. Try again: every port is a "
                "free one, which another program may have taken in between.",
                Exit.UNAVAILABLE,
            )
        results.append(result)
        if result["is_partial"]:
            return results, True
    return results, False


def _tools() -> tuple[Any, Callable[..., Any]]:
    """Import what needs psutil, which only the benchmark does."""
    try:
        from dispatcher.lab.bench import report
        from dispatcher.lab.bench.run import run_case
    except ImportError as error:
        complain(
            f"The benchmark needs {error.name}: pip install 'mission-control-dispatcher[embedded]'.",
            Exit.UNAVAILABLE,
        )
    return report, run_case


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into a KeyboardInterrupt.

    SIGINT as well: a shell that starts a program in the background lets it ignore that signal.
    """

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
