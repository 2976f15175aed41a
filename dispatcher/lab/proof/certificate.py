"""The certificate: what was done, what was promised, what came of it; for people and as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dispatcher.lab.proof.evidence import Evidence
from dispatcher.lab.proof.narrative import narrate
from dispatcher.lab.proof.plan import Options
from dispatcher.lab.proof.stage import SETTINGS
from dispatcher.lab.proof.troubles import RUNTIMES
from dispatcher.lab.proof.verdict import PROMISES, Breach, Verdict, percentile

_SHOWN: Final = 5
_MEANINGS: Final = {
    "lost": "said or assigned, and not answered in the thread",
    "duplicated": "replied, or made by a tool, more than once",
    "out_of_order": "asked before an older one of its conversation",
    "overlapping": "asked while another turn of the session was not over",
    "paid_twice": "asked again after the answer was stored",
    "unaccounted": "in no mailbox, or still open at the end",
    "dead_without_cause": "given up although no trouble explains it",
    "slow_recovery": "p99 from a kill to running again above 30 s",
    "asked_again_frozen": "its worker was frozen or cut off from Redis",
    "asked_again_killed": "its worker was killed before the answer was stored",
    "asked_again_unexplained": "an answer was not stored, and we do not know why",
    "repeated_because_forgotten": "Redis was made to forget",
    "overlapping_because_forgotten": "Redis was made to forget the claim of the earlier ask",
    "late_connection_of_frozen": "a frozen worker's ask met the one of its successor",
    "dead_of_injected_faults": "given up as it should be",
    "scrolled_out": "gave its row to newer ones and was out of the thread's view at their turn",
    "tools_done": "calls that the agent was told to be done; each was done once",
    "tools_refused": "calls that the agent was told to be refused",
    "tools_of_unknown_outcome": "calls that the agent was told to check before repeating",
}


def command(options: Options) -> str:
    """Return the command that repeats a proof."""
    flush = " --flush" if options.flushes else ""
    return (
        f"dispatcher prove --seed {options.seed} --minutes {options.seconds / 60:g} "
        f"--kills {options.kills} --workers {options.workers}{flush}"
    )


def as_json(options: Options, evidence: Evidence, verdict: Verdict) -> dict[str, Any]:
    """Return the certificate as an object.

    Shape:
        ``{"kept", "seed", "command", "stack", "load", "faults", "promises", "unchecked",
        "counted_apart", "recovery_s", "ended_by_themselves", "breaches", "story"}``
    """
    return {
        "kept": verdict.is_kept,
        "seed": options.seed,
        "command": command(options),
        "stack": _stack(options),
        "load": _load(evidence),
        "faults": dict(sorted(evidence.faults.items())),
        "promises": {promise: verdict.count(promise) for promise in PROMISES},
        "unchecked": dict(verdict.unchecked),
        "counted_apart": dict(sorted(verdict.counted.items())),
        "recovery_s": {what: _spread(found) for what, found in _recoveries(verdict).items()},
        "ended_by_themselves": list(evidence.ended_by_themselves),
        "breaches": [_breach(breach, evidence) for breach in verdict.breaches],
        "story": narrate(evidence, verdict.breaches[0]) if verdict.breaches else [],
    }


def as_text(options: Options, evidence: Evidence, verdict: Verdict) -> str:
    """Return the certificate for people."""
    return "\n".join(_lines(options, evidence, verdict))


def _lines(options: Options, evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    yield f"PROMISES {'KEPT' if verdict.is_kept else 'BROKEN'}: {command(options)}"
    yield from _table("Stack", _stack(options).items())
    yield from _table("Load", _load(evidence).items())
    yield from _table("Faults", sorted(evidence.faults.items()))
    told = ((p, f"{_count_of(p, verdict):>5}  {_MEANINGS[p]}") for p in PROMISES)
    yield from _table("Promises broken", told)
    apart = ((n, f"{c:>5}  {_MEANINGS.get(n, '')}") for n, c in sorted(verdict.counted.items()))
    yield from _table("Counted apart", apart)
    spreads = ((what, _spread_text(found)) for what, found in _recoveries(verdict).items())
    yield from _table("Recovery, from the kill to running again", spreads)
    slowest = max(verdict.recoveries, key=lambda one: one.seconds, default=None)
    if slowest is not None and slowest.row is not None:
        at_s = (slowest.at_ms - evidence.began_ms) / 1000
        yield f"  the slowest: notification {slowest.row}, {slowest.process} killed at {at_s:.1f} s"
    for told_of in evidence.ended_by_themselves:
        yield f"\nEnded by itself: {told_of}"
    if verdict.breaches:
        yield from _story(evidence, verdict)


def _story(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    yield "\nWhat was broken"
    for breach in verdict.breaches[:_SHOWN]:
        yield f"  {breach.promise}: {breach.text}"
    if len(verdict.breaches) > _SHOWN:
        yield f"  … and {len(verdict.breaches) - _SHOWN} more"
    yield "\nThe story of the first one"
    yield from (f"  {line}" for line in narrate(evidence, verdict.breaches[0]))


def _stack(options: Options) -> dict[str, str]:
    changed = "; ".join(f"{name}={value} ({why})" for name, (value, why) in SETTINGS.items())
    return {
        "processes": f"{options.workers} workers, {RUNTIMES} runtimes, the sandbox",
        "redis": "appendonly yes, appendfsync everysec, as compose.redis.yml ships it",
        "settings": f"the defaults, except: {changed}",
        "duration": f"{options.seconds:g} s of load and faults",
    }


def _load(evidence: Evidence) -> dict[str, int]:
    return {
        "messages of people": len(evidence.said),
        "assigned tasks": len(evidence.assigned),
        "notifications": len(evidence.rows),
        "asks at the gateway": len(evidence.asks),
        "replies": sum(message.is_by_agent for message in evidence.messages),
    }


def _recoveries(verdict: Verdict) -> dict[str, tuple[float, ...]]:
    return {
        "work of killed workers": verdict.seconds(is_lead=False),
        "lead of killed runtimes": verdict.seconds(is_lead=True),
        "all": verdict.seconds(),
    }


def _spread(found: tuple[float, ...]) -> dict[str, float | int | None]:
    return {
        "count": len(found),
        "p50": percentile(found, 0.5),
        "p99": percentile(found, 0.99),
        "worst": max(found, default=None),
    }


def _spread_text(found: tuple[float, ...]) -> str:
    if not found:
        return "none measured"
    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    return f"{len(found):>5}  p50 {p50:.1f} s, p99 {p99:.1f} s, worst {max(found):.1f} s"


def _count_of(promise: str, verdict: Verdict) -> str:
    return "?" if promise in verdict.unchecked else str(verdict.count(promise))


def _breach(breach: Breach, evidence: Evidence) -> Mapping[str, Any]:
    at_ms = breach.at_ms
    return {
        "promise": breach.promise,
        "text": breach.text,
        "notification": breach.row,
        "at_s": None if at_ms is None else round((at_ms - evidence.began_ms) / 1000, 3),
    }


def _table(title: str, rows: Iterable[tuple[str, object]]) -> Iterator[str]:
    yield f"\n{title}"
    for name, value in rows:
        yield f"  {name:28} {value}"
