"""Quick settings for stacks, and what their ledgers tell."""

from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from dispatcher.lab.stack import Stack
from tests.waiting import until

QUICK = {
    "DELIVERY_BACKOFF_BASE_MS": "1000",
    "DELIVERY_FAST_INTERVAL": "200",
    "DELIVERY_SWEEP_MS": "200",
    "DELIVERY_LEASE_MS": "3000",
    "DELIVERY_MAX_CONCURRENT_PER_AGENT": "10",
    "WORKER_THREADS": "16",
}
"""Settings that make a stack notice and retry within seconds."""


def rows_for_agents(stack: Stack, agent: str = "engineer") -> list[dict[str, Any]]:
    """The notifications of one agent, in order of creation."""
    agent_id = stack.sandbox["agents"][agent]
    return [row for row in stack.ledger()["notifications"] if row["recipientId"] == agent_id]


def replies(stack: Stack, agent: str = "engineer") -> list[dict[str, Any]]:
    """The messages of one agent, in order of creation."""
    agent_id = stack.sandbox["agents"][agent]
    return [m for m in stack.ledger()["messages"] if m["authorId"] == agent_id]


def asks(stack: Stack, agent: str = "engineer") -> list[dict[str, Any]]:
    """The gateway's asks of one agent, in order of arrival."""
    return [ask for ask in stack.asks() if ask["agent"] == agent]


def await_all_delivered(stack: Stack, count: int, *, seconds: float = 30) -> None:
    """Wait until so many rows of the engineer exist and all of them are marked."""
    until(
        lambda: rows_for_agents(stack),
        lambda rows: len(rows) == count and all("deliveredAt" in row for row in rows),
        seconds=seconds,
    )


def assert_answered_once_each(stack: Stack, count: int) -> None:
    """Every row of the engineer has exactly one reply."""
    keys = Counter(message.get("sourceNotificationId") for message in replies(stack))
    rows = {row["_id"] for row in rows_for_agents(stack)}
    assert len(rows) == count
    assert set(keys) == rows
    assert max(keys.values()) == 1


def assert_no_overlaps(stack: Stack) -> None:
    """No session was asked while another of its turns ran or waited."""
    by_session: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for ask in sorted(stack.asks(), key=lambda ask: ask["received_at"]):
        by_session[ask["session_key"]].append(ask)
    for turns in by_session.values():
        for earlier, later in pairwise(turns):
            assert earlier["ended_at"] is not None
            assert later["received_at"] >= earlier["ended_at"]


def processes_of(folder: Path) -> list[str]:
    """Processes that were started with the folder as their temporary directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"TMPDIR={folder}".encode() in environment:
                found.append(entry.name)
    return found
