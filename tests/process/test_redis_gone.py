"""Redis away, hanging, emptied or unwilling to write: nothing is lost, and health says why."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dispatcher.lab.redis_server import free_port
from dispatcher.lab.stack import Stack
from tests.process.facts import (
    asks,
    assert_answered_once_each,
    assert_no_overlaps,
    await_all_delivered,
    rows_for_agents,
)
from tests.process.trouble import (
    Store,
    answered_rows,
    asks_by_row,
    assert_no_traceback,
    assert_nobody_ended,
    await_empty_store,
    await_recovered,
    end_quickly,
    make_tasks,
    mention,
    problems,
    running,
    start_on_a_kept_redis,
    throughout,
)
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

LONG_LEASE = "12000"
"""The default: all of a short trouble fits into it, so that no turn is lost to it."""


def names_redis(stack: Stack) -> bool:
    return any("Redis" in problem for problem in problems(stack))


def assert_settled(stack: Stack, count: int) -> None:
    await_all_delivered(stack, count, seconds=40)
    assert_answered_once_each(stack, count)
    assert_no_overlaps(stack)
    await_empty_store(stack)
    await_recovered(stack)
    end_quickly(stack)


@contextmanager
def hanging(stack: Stack) -> Iterator[None]:
    """Stop Redis without closing its connections: it takes calls and does not answer."""
    os.kill(stack.redis.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stack.redis.pid, signal.SIGCONT)


@contextmanager
def read_only(stack: Stack) -> Iterator[None]:
    """Make Redis the replica of a server that is not there: it answers reads only."""
    with Store(stack) as store:
        store.client.replicaof("127.0.0.1", free_port())
        try:
            yield
        finally:
            store.client.replicaof("NO", "ONE")


@contextmanager
def out_of_memory(stack: Stack) -> Iterator[None]:
    """Leave Redis no memory for anything new; it does not evict."""
    with Store(stack) as store:
        store.client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            store.client.config_set("maxmemory", 0)


Refusal = Callable[[Stack], "contextmanager[None]"]
refusals = pytest.mark.parametrize("refuses_writes", [read_only, out_of_memory])


def test_a_killed_redis_that_kept_its_file_costs_no_turn(start_stack, tmp_path: Path) -> None:
    stack = start_on_a_kept_redis(start_stack, tmp_path, delay=5.0, DELIVERY_LEASE_MS=LONG_LEASE)
    for task in make_tasks(stack, 6):
        mention(stack, task)
        mention(stack, task, "@engineer and then?")
    until(lambda: len(running(stack)) == 6)

    stack.redis.kill()
    until(lambda: names_redis(stack))
    stack.redis.start()

    assert_settled(stack, 12)
    assert_no_traceback(stack)
    assert [ask["outcome"] for ask in asks(stack)] == ["answered"] * 12


def test_a_redis_that_is_away_longer_than_a_lease_repeats_only_what_ran(
    start_stack, tmp_path: Path
) -> None:
    stack = start_on_a_kept_redis(start_stack, tmp_path, delay=1.0)
    tasks = make_tasks(stack, 4)
    for number in range(3):
        for task in tasks:
            mention(stack, task, f"@engineer part {number}")
    until(lambda: len(answered_rows(stack)) >= 4 and len(running(stack)) >= 3)
    kept = answered_rows(stack)

    stack.redis.stop()
    mention(stack, tasks[0], "@engineer are you there?")
    throughout(10, lambda: names_redis(stack))
    assert not running(stack)
    stack.redis.start()

    assert_settled(stack, 13)
    assert_no_traceback(stack)
    repeated = {row for row, count in asks_by_row(stack).items() if count > 1}
    assert not repeated & kept
    assert max(asks_by_row(stack).values()) <= 2


def test_a_redis_that_hangs_is_survived_like_one_that_is_away(start_stack, tmp_path: Path) -> None:
    stack = start_on_a_kept_redis(start_stack, tmp_path, delay=1.0)
    tasks = make_tasks(stack, 4)
    for number in range(2):
        for task in tasks:
            mention(stack, task, f"@engineer part {number}")
    until(lambda: len(answered_rows(stack)) >= 2 and len(running(stack)) >= 3)
    kept = answered_rows(stack)

    with hanging(stack):
        assert names_redis(stack)
        assert not running(stack)
        mention(stack, tasks[0], "@engineer are you there?")

    assert_settled(stack, 9)
    repeated = {row for row, count in asks_by_row(stack).items() if count > 1}
    assert not repeated & kept
    assert max(asks_by_row(stack).values()) <= 2


def test_an_emptied_redis_is_filled_again_and_nothing_is_said_twice(start_stack) -> None:
    stack = start_stack(delay=1.0, DELIVERY_MAX_CONCURRENT_SESSIONS="6")
    tasks = make_tasks(stack, 4)
    for number in range(3):
        for task in tasks:
            mention(stack, task, f"@engineer part {number}")
    until(lambda: len(answered_rows(stack)) >= 2 and len(running(stack)) >= 3)
    marked = {row["_id"] for row in rows_for_agents(stack) if "deliveredAt" in row}

    with Store(stack) as store:
        store.client.flushall()

        until(lambda: store.client.hget(store.key("limits"), "cap") == "6", seconds=20)
    assert_settled(stack, 12)
    assert_no_traceback(stack)
    repeated = {row for row, count in asks_by_row(stack).items() if count > 1}
    assert not repeated & marked


def test_an_emptied_redis_does_not_lift_the_cap(start_stack) -> None:
    stack = start_stack(delay=2.5, DELIVERY_MAX_CONCURRENT_SESSIONS="2")
    for task in make_tasks(stack, 8):
        mention(stack, task)
    until(lambda: len(running(stack)) == 2)

    with Store(stack) as store:
        store.client.flushall()

    await_all_delivered(stack, 8, seconds=60)
    instants = [(ask["started_at"], 1) for ask in asks(stack)]
    instants += [(ask["ended_at"], -1) for ask in asks(stack)]
    at_once = most = 0
    for _, change in sorted(instants):
        at_once += change
        most = max(most, at_once)
    assert most <= 2


@refusals
def test_a_redis_that_refuses_writes_for_less_than_a_lease_costs_no_turn(
    start_stack, refuses_writes: Refusal
) -> None:
    stack = start_stack(delay=5.0, DELIVERY_LEASE_MS=LONG_LEASE)
    tasks = make_tasks(stack, 4)
    for task in tasks:
        mention(stack, task)
    until(lambda: len(running(stack)) == 4)

    with refuses_writes(stack):
        until(lambda: not running(stack))
        mention(stack, tasks[0], "@engineer and then?")
        throughout(1, lambda: not running(stack))
        assert_nobody_ended(stack)

    assert_settled(stack, 5)
    assert [ask["outcome"] for ask in asks(stack)] == ["answered"] * 5


def test_health_says_that_redis_refuses_to_write(start_stack) -> None:
    stack = start_stack()

    for refuses_writes in (read_only, out_of_memory):
        with refuses_writes(stack):
            until(lambda: names_redis(stack), seconds=9)
        until(lambda: not problems(stack), seconds=15)
    end_quickly(stack)


def test_trouble_at_redis_is_told_without_tracebacks(start_stack) -> None:
    stack = start_stack()
    mention(stack, stack.sandbox["taskId"])

    with out_of_memory(stack):
        throughout(1, lambda: assert_nobody_ended(stack) is None)
    with hanging(stack):
        throughout(6, lambda: assert_nobody_ended(stack) is None)
    until(lambda: not problems(stack), seconds=20)
    end_quickly(stack)

    assert_no_traceback(stack)
