"""Measures promise P5: how much a hung conversation, or a hung agent, slows the others.

Run by ``python -m tests.measures.isolation``. Runs with and without the trouble alternate, each on
a fresh stack, because the machine may be busy with something else for a while.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping

from dispatcher.lab.stack import Stack
from tests.measures.load import (
    asks_of,
    mention,
    percentile,
    running_stack,
    told,
    trickle,
    waits,
)
from tests.waiting import until

CONVERSATIONS, HUNG_OF_ONE_AGENT = 50, 20
RUN_S, PER_S, ANSWERED_WITHIN_S = 0.5, 2.0, 60.0


def one_conversation(stack: Stack, tasks: list[str], *, hangs: bool) -> list[str]:
    """One of the engineer's conversations hangs; return the others."""
    mention(stack, tasks[0], f"@engineer hello {'[[hang]]' if hangs else ''}")
    until(lambda: asks_of(stack))
    return tasks[1:]


def one_agent(stack: Stack, tasks: list[str], *, hangs: bool) -> list[str]:
    """The writer hangs in 20 conversations; return the engineer's."""
    for task in tasks[:HUNG_OF_ONE_AGENT]:
        mention(stack, task, f"@writer hello {'[[hang]]' if hangs else ''}")
    until(lambda: asks_of(stack, "writer"))
    return tasks[HUNG_OF_ONE_AGENT:]


SCENARIOS = {"one conversation": one_conversation, "one agent in 20": one_agent}


def run(scenario: str, settings: Mapping[str, str], *, hangs: bool, seconds: float) -> list[float]:
    """Run one side of a scenario once and return the waits of those that do not hang."""
    with running_stack(settings, delay_s=RUN_S) as stack:
        tasks = [stack.human("create_task", title=f"Task {n}") for n in range(CONVERSATIONS)]
        others = SCENARIOS[scenario](stack, tasks, hangs=hangs)
        count = trickle(stack, others, per_s=PER_S, seconds=seconds)
        return until(
            lambda: waits(stack, others),
            lambda found: len(found) >= count,
            seconds=ANSWERED_WITHIN_S,
        )


def main() -> None:
    """Measure and print a table."""
    options = parse()
    settings = {"WORKER_THREADS": str(options.threads)}
    settings["DELIVERY_MAX_CONCURRENT_SESSIONS"] = str(options.cap)
    print(f"settings beside the defaults: {told(settings)}")
    print("DELIVERY_MAX_CONCURRENT_PER_AGENT is left at its default, half of the cap")
    print(
        f"load: {PER_S:g} mentions/s over {CONVERSATIONS} conversations, runs of {RUN_S:g} s, "
        f"{options.seconds:g} s a run, {options.rounds} rounds of each side\n"
    )
    print(f"{'scenario':18} {'side':8} {'run':>4} {'count':>6} {'p50 s':>7} {'p95 s':>7}")
    for scenario in options.scenarios:
        measure(scenario, settings, rounds=options.rounds, seconds=options.seconds)


def measure(scenario: str, settings: Mapping[str, str], *, rounds: int, seconds: float) -> None:
    """Alternate both sides of a scenario; print each run, all of them, and the ratio."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for side, hangs in (("healthy", False), ("hung", True)):
            values = run(scenario, settings, hangs=hangs, seconds=seconds)
            found[side] += values
            line(scenario, side, str(number + 1), values)
    for side, values in found.items():
        line(scenario, side, "all", values)
    ratios = [percentile(found["hung"], p) / percentile(found["healthy"], p) for p in (50, 95)]
    print(f"{scenario:18} {'ratio':8} {'':4} {'':6} {ratios[0]:7.2f} {ratios[1]:7.2f}\n")


def line(scenario: str, side: str, number: str, values: list[float]) -> None:
    """Print one line of the table."""
    p50, p95 = percentile(values, 50), percentile(values, 95)
    print(f"{scenario:18} {side:8} {number:>4} {len(values):6} {p50:7.3f} {p95:7.3f}", flush=True)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=75, help="length of one run's trickle")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each side")
    parser.add_argument("--threads", type=int, default=32, help="WORKER_THREADS")
    parser.add_argument("--cap", type=int, default=10, help="DELIVERY_MAX_CONCURRENT_SESSIONS")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
