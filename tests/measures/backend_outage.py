"""Measures promise P2: the backend is away for minutes while replies are ready to be posted.

Run by ``python -m tests.measures.backend_outage``.
"""

import argparse
import time
from collections import Counter

import httpx

from dispatcher.lab.stack import Stack
from tests.measures.load import asks_of, mention, percentile, running_stack, told
from tests.waiting import until

RUN_S, WRITTEN_WITHIN_S, EVER = 3.0, 120.0, 1_000_000


def main() -> None:
    """Measure and print the numbers."""
    options = parse()
    settings = {
        "WORKER_THREADS": str(options.replies),
        "DELIVERY_MAX_CONCURRENT_SESSIONS": str(options.replies),
        "DELIVERY_MAX_CONCURRENT_PER_AGENT": str(options.replies),
    }
    print(f"settings beside the defaults: {told(settings)}")
    print(f"{options.replies} replies, {options.seconds:g} s of {options.kind}\n")
    with running_stack(settings, delay_s=RUN_S) as stack:
        measure(stack, options)


def measure(stack: Stack, options: argparse.Namespace) -> None:
    """Let all agents run, take the backend away, bring it back, and count."""
    for number in range(options.replies):
        task = stack.human("create_task", title=f"Task {number}")
        mention(stack, task, "@engineer hello")
    until(lambda: len(asks_of(stack)) == options.replies, seconds=30)
    faults = f"{stack.sandbox['backend']}/human/faults"
    httpx.post(faults, json={"kind": options.kind, "times": EVER}).raise_for_status()
    before = Counter(stack.ledger()["calls"])
    until(lambda: all(ask["outcome"] == "answered" for ask in asks_of(stack)), seconds=30)
    time.sleep(options.seconds)
    during = Counter(stack.ledger()["calls"]) - before
    httpx.delete(faults).raise_for_status()
    back_ms = time.time() * 1000
    rows = until(
        lambda: [row for row in stack.ledger()["notifications"] if "deliveredAt" in row],
        lambda found: len(found) == options.replies,
        seconds=WRITTEN_WITHIN_S,
    )
    report(stack, [row["_id"] for row in rows], during, back_ms)


def report(stack: Stack, rows: list[str], during: Counter[str], back_ms: float) -> None:
    """Print what was asked, posted and called."""
    messages = [m for m in stack.ledger()["messages"] if m.get("sourceNotificationId") in rows]
    posts = Counter(message["sourceNotificationId"] for message in messages)
    asked = Counter(row for row in rows for ask in asks_of(stack) if row in ask["input_text"])
    after = [(message["createdAt"] - back_ms) / 1000 for message in messages]
    print(f"notifications delivered          {len(rows)}")
    print(f"replies in the threads           {sum(posts.values())}")
    print(f"notifications with two replies   {sum(count > 1 for count in posts.values())}")
    print(f"notifications asked twice        {sum(count > 1 for count in asked.values())}")
    print(f"calls during the outage          {during.total()} {dict(during.most_common(4))}")
    print(f"first, p50, last reply after it  {min(after):.1f}, {percentile(after, 50):.1f}, "
          f"{max(after):.1f} s")  # fmt: skip


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="length of the outage")
    parser.add_argument("--replies", type=int, default=50, help="how many are ready")
    parser.add_argument("--kind", default="503_queue", help="a fault of the sandbox, e.g. drop")
    return parser.parse_args()


if __name__ == "__main__":
    main()
