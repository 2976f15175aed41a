"""A delivery that kills every process that runs it: it ends alone, and all others are answered."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from dispatcher.lab.stack import Stack
from tests.process.facts import replies, rows_for_agents
from tests.process.trouble import (
    Store,
    conversation_of,
    delivery_of,
    end_quickly,
    make_tasks,
    mention,
    problems,
)
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

SETTINGS = {"DELIVERY_LEASE_MS": "3000", "WORKER_THREADS": "8"}
_ALONE = re.compile(r"runs alone, in process (\d+)")
POISON = "@engineer [[hang]] this one kills"


def runs_alone_in(stack: Stack, row: dict) -> list[int]:
    """The processes that the workers say run this row's delivery alone."""
    lines = [line for worker in stack.workers for line in worker.log.read_text().splitlines()]
    told = [line for line in lines if '"action": "quarantine"' in line and row["_id"] in line]
    return [int(found[1]) for line in told if (found := _ALONE.search(line))]


class Poison:
    """Kills whatever process runs one conversation's ask, as a delivery that is poison would.

    Attributes:
        killed: What it has killed: "worker" or "child".
    """

    def __init__(self, stack: Stack, row: dict, *, spares_children: bool = False) -> None:
        self._stack = stack
        self._row = row
        self._conversation = conversation_of(row)
        self._delivery = delivery_of(row)
        self._spares_children = spares_children
        self._done = threading.Event()
        self._dead: set[int] = set()
        self.killed: list[str] = []

    @contextmanager
    def at_work(self) -> Iterator["Poison"]:
        """Kill in the background until the block ends."""
        thread = threading.Thread(target=self._kill_for_ever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._done.set()
            thread.join(timeout=10)

    def _kill_for_ever(self) -> None:
        with Store(self._stack) as store:
            while not self._done.wait(0.02):
                self._kill_holder(store)

    def _kill_holder(self, store: Store) -> None:
        holder = store.client.hget(store.key("mailbox", self._conversation), "worker")
        journal = store.client.hget(store.key("delivery", self._delivery), "journal") or ""
        if holder is None or '"asked"' not in journal:
            return
        if int(store.client.hget(store.key("delivery", self._delivery), "strikes") or 0) < 2:
            self._kill(int(holder.rpartition(":")[2]), "worker")
            until(lambda: store.client.hget(store.key("mailbox", self._conversation), "worker"),
                  lambda worker: worker != holder, seconds=15)  # fmt: skip
        elif not self._spares_children:
            for child in set(runs_alone_in(self._stack, self._row)) - self._dead:
                self._kill(child, "child")

    def _kill(self, pid: int, kind: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self._dead.add(pid)
            self.killed.append(kind)


def poisoned(stack: Stack) -> dict:
    """Let a message come whose delivery is to kill; return its row."""
    mention(stack, stack.sandbox["taskId"], POISON)
    (row,) = until(lambda: rows_for_agents(stack), lambda rows: len(rows) == 1)
    return row


def dead_cause(stack: Stack, row: dict) -> str | None:
    with Store(stack) as store:
        facts = store.client.hmget(store.key("delivery", delivery_of(row)), "state", "cause")
    return facts[1] if facts[0] == "dead" else None


def test_a_delivery_that_kills_its_workers_dies_alone_and_all_others_are_answered(
    start_stack,
) -> None:
    stack = start_stack(workers=3, **SETTINGS)
    row = poisoned(stack)
    others = make_tasks(stack, 6)
    with Poison(stack, row).at_work() as poison:
        for task in others:
            mention(stack, task)

        assert until(lambda: dead_cause(stack, row), seconds=50) == "poison"

    assert poison.killed == ["worker", "worker", "child"]
    until(
        lambda: {one["taskId"] for one in replies(stack)}, lambda told: told >= set(others),
        seconds=20,
    )  # fmt: skip
    (notice,) = [one for one in replies(stack) if one["taskId"] == row["taskId"]]
    assert "could not be answered" in notice["content"]
    until(lambda: all("deliveredAt" in one for one in rows_for_agents(stack)))
    assert len(replies(stack)) == 7, "each of the others has one answer"
    assert stack.health()["store"]["dead"] == 1
    until(lambda: problems(stack), lambda found: not found)
    end_quickly(stack)


def test_a_delivery_whose_workers_died_of_something_else_is_answered_in_quarantine(
    start_stack,
) -> None:
    stack = start_stack(workers=3, delay=4.0, **SETTINGS)
    mention(stack, stack.sandbox["taskId"], "@engineer hello")
    (row,) = until(lambda: rows_for_agents(stack), lambda rows: len(rows) == 1)

    with Poison(stack, row, spares_children=True).at_work() as unlucky:
        until(lambda: replies(stack), seconds=50)

    assert unlucky.killed == ["worker", "worker"]
    assert [one["content"] for one in replies(stack)] == ["Done: engineer hello"]
    until(lambda: all("deliveredAt" in one for one in rows_for_agents(stack)))
    until(lambda: stack.health()["store"]["open"], lambda count: count == 0)
    assert stack.health()["store"]["dead"] == 0
    end_quickly(stack)
