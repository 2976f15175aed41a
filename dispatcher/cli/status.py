"""`dispatcher status`: one screen that says how everything is, and what to do about it."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live

from dispatcher.cli.common import Exit, complain, operator_parts, without_tracebacks
from dispatcher.cli.places import as_json, draw
from dispatcher.cli.screen import milliseconds, plain, print_json, since, stdout, table
from dispatcher.domain.activity import quantile_ms
from dispatcher.domain.delivery import LineClass
from dispatcher.domain.errors import StoreError
from dispatcher.domain.standing import Level, Places, Where
from dispatcher.domain.text import age
from dispatcher.flows.overview import LATELY, Overview, look_around
from dispatcher.wiring import Parts

_SHOWN = 10
_STYLES = {Level.DOWN: "red", Level.DEGRADED: "yellow", Level.NOTE: "cyan"}


@click.command(short_help="Tell on one screen how everything is.")
@click.option(
    "--watch", type=click.FloatRange(0.2, 3600), is_flag=False, flag_value=2.0, metavar="[SECONDS]",
    help="Look again and again, every 2 seconds unless said otherwise.",
)  # fmt: skip
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@without_tracebacks
def status(*, watch: float | None, is_json: bool) -> int:
    """Tell how everything is: parts, running turns, what waits and why, what to do about it.

    Ends with exit code 0 when all is well, 1 when something is wrong, 69 when Redis cannot be
    reached.
    """
    if is_json and watch:
        raise click.UsageError("--json prints once: leave --watch away.")
    with operator_parts() as parts:
        if watch:
            return _watch(parts, watch)
        seen = _look(parts)
    if is_json:
        print_json(_as_json(seen))
    else:
        stdout().print(_drawn(seen, parts.version))
    return Exit.FAILED if _is_wrong(seen) else Exit.OK


def _look(parts: Parts) -> Overview:
    return look_around(
        survey=parts.survey,
        mailboxes=parts.mailboxes,
        roster=parts.roster,
        limits=parts.limits,
        most=_SHOWN,
    )


def _watch(parts: Parts, every_s: float) -> int:
    """Draw anew until somebody stops it; a Redis that is away is shown, not died of."""
    screen = stdout()
    if not screen.is_terminal:
        complain("--watch needs a terminal; use --json in a loop.", Exit.FAILED)
    try:
        with Live(console=screen, screen=True, auto_refresh=False) as live:
            while True:
                try:
                    shown: RenderableType = _drawn(_look(parts), parts.version)
                except StoreError as error:
                    shown = plain(f"{error}. Is REDIS_URL right, and does it run?", "red")
                live.update(shown, refresh=True)
                time.sleep(every_s)
    except KeyboardInterrupt:
        return Exit.OK


def _is_wrong(seen: Overview) -> bool:
    return any(problem.level is not Level.NOTE for problem in seen.problems)


def _drawn(seen: Overview, version: str) -> RenderableType:
    state, style = ("degraded", "bold red") if _is_wrong(seen) else ("healthy", "bold green")
    parts: list[RenderableType] = [
        plain(f"Mission Control dispatcher {version}, {seen.stats.at:%Y-%m-%d %H:%M:%S} UTC"),
        plain(state, style),
        table(("", ""), _part_lines(seen)),
    ]
    parts += _problems(seen)
    for where, places in _by_where(seen):
        parts.append(plain(_headline(where, places, seen), "bold"))
        if places.records:
            parts.append(draw(where, places, seen.world, seen.names))
        if places.total > len(places.records):
            more = places.total - len(places.records)
            parts.append(plain(f"… and {more} more: dispatcher mailboxes --{where.value}", "dim"))
    if seen.behind:
        parts.append(
            plain(f"Behind them, in the same conversations: {_count(seen.behind, 'delivery')}")
        )
    parts.append(plain(_lately(seen)))
    return Group(*parts)


def _part_lines(seen: Overview) -> Iterable[tuple[str, str]]:
    standing, now = seen.standing, seen.standing.at
    report = standing.report
    polled = f"listed {since(report.polled_at, now)} ago" if report and report.polled_at else "-"
    circuit = seen.world.circuit
    asked = f"last answer {since(standing.asking.answered_at, now)} ago"
    live = standing.live_workers()
    threads = sum(worker.threads for worker in live)
    leader = standing.leader.rpartition(":")[0] or "nobody"
    yield "Redis", "up"
    yield "Runtime", f"{standing.runtimes} alive; {leader} leads (term {standing.term})"
    yield "Workers", f"{len(live)} alive with {threads} threads for {standing.cap} turns at once"
    yield "Convex", f"not called: {seen.world.stop}" if seen.world.stop else polled
    yield "Gateway", f"left alone: {circuit.cause}" if circuit else asked
    yield "Dead letters", str(seen.stats.dead)
    oldest = ", ".join(_oldest(seen))
    yield "Oldest waits", oldest or "nobody waits"


def _oldest(seen: Overview) -> Iterable[str]:
    for each, at in zip(LineClass, seen.stats.oldest, strict=True):
        if at is not None:
            yield f"{each.name.lower().replace('_', ' ')} {age(seen.stats.at - at)}"


def _problems(seen: Overview) -> Iterable[RenderableType]:
    for problem in seen.problems:
        yield plain(f"• {problem.text}", _STYLES[problem.level])
        if problem.remedy:
            yield plain(f"  {problem.remedy}")


def _by_where(seen: Overview) -> tuple[tuple[Where, Places], ...]:
    return (
        (Where.RUNNING, seen.running), (Where.WAITING, seen.waiting), (Where.RESTING, seen.resting),
    )  # fmt: skip


def _headline(where: Where, places: Places, seen: Overview) -> str:
    match where:
        case Where.RUNNING:
            return f"Running: {places.total} of {seen.standing.cap}"
        case Where.WAITING:
            return f"Waiting: {_count(places.total, 'conversation')}"
        case Where.RESTING:
            return f"Resting: {_count(places.total, 'conversation')}"


def _count(number: int, thing: str) -> str:
    if number == 1:
        return f"1 {thing}"
    return f"{number} {thing[:-1]}ies" if thing.endswith("y") else f"{number} {thing}s"


def _lately(seen: Overview) -> str:
    total = seen.hour.total()
    rate = seen.hour.per_minute("answered", within=LATELY)
    told = f"Last hour: {total['answered']} answered, {total['failed']} failed attempts"
    if (median := quantile_ms(total, "wait", 0.5)) is not None:
        high = quantile_ms(total, "wait", 0.95) or median
        told += f"; wait p50 {_short(median)}, p95 {_short(high)}"
    return f"{told}; {total['in']} tokens in, {total['out']} out; lately {rate:.1f} a minute."


def _short(ms: int) -> str:
    return f"{ms} ms" if ms < 1_000 else age(timedelta(milliseconds=ms))


def _as_json(seen: Overview) -> dict[str, Any]:
    total, standing = seen.hour.total(), seen.standing
    return {
        "status": "degraded" if _is_wrong(seen) else "healthy",
        "at": milliseconds(seen.stats.at),
        "problems": [
            {"text": one.text, "remedy": one.remedy, "level": one.level, "runbook": one.runbook}
            for one in seen.problems
        ],
        "runtimes": standing.runtimes,
        "leader": standing.leader.rpartition(":")[0] or None,
        "workers": [
            {"name": one.name, "threads": one.threads, "pulse": milliseconds(one.pulse_at)}
            for one in standing.live_workers()
        ],
        "polled": milliseconds(standing.report.polled_at) if standing.report else None,
        "answered": milliseconds(standing.asking.answered_at),
        "failuresInARow": standing.asking.failures,
        "deadLetters": seen.stats.dead,
        "open": seen.stats.open,
        "behind": seen.behind,
        "cap": standing.cap,
        "oldest": {
            each.name.lower(): _age_ms(at, seen.stats.at)
            for each, at in zip(LineClass, seen.stats.oldest, strict=True)
        },
        "lastHour": {
            "answered": total["answered"],
            "failed": total["failed"],
            "tokensIn": total["in"],
            "tokensOut": total["out"],
            "waitMs": {
                "p50": quantile_ms(total, "wait", 0.5),
                "p95": quantile_ms(total, "wait", 0.95),
            },
            "perMinuteLately": round(seen.hour.per_minute("answered", within=LATELY), 2),
        },
        **{
            where.value: {
                "total": places.total,
                "mailboxes": [as_json(one, seen.world, seen.names) for one in places.records],
            }
            for where, places in _by_where(seen)
        },
    }


def _age_ms(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else max(0, round((now - at).total_seconds() * 1000))
