"""Workers are exchanged under load, and a second signal hurries a stop."""

import signal
import time

import pytest

from dispatcher.lab.stack import Stack
from tests.process.facts import (
    asks,
    assert_answered_once_each,
    assert_no_overlaps,
    await_all_delivered,
    rows_for_agents,
)
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(150)]

TURN_S = 1.5
CONVERSATIONS, EACH = 9, 6


def test_a_rolling_restart_of_three_workers_repeats_nothing_and_holds_up_nobody(
    start_stack,
) -> None:
    stack = start_stack(workers=3, delay=TURN_S, DELIVERY_MAX_CONCURRENT_PER_AGENT="50")
    tasks = [stack.human("create_task", title=f"Task {n}") for n in range(CONVERSATIONS)]
    restarts = iter(stack.workers)

    for number in range(EACH):
        for task in tasks:
            stack.human("post_message", task=task, content=f"@engineer part {number}")
        until(lambda number=number: len(asks(stack)) > number * CONVERSATIONS, seconds=20)
        worker = next(restarts, None)
        if worker is not None:
            worker.terminate()
            until(lambda worker=worker: worker.exit_code, lambda code: code == 0, seconds=30)
            worker.start()

    await_all_delivered(stack, CONVERSATIONS * EACH, seconds=60)
    assert_answered_once_each(stack, CONVERSATIONS * EACH)
    assert_no_overlaps(stack)
    assert [turn["outcome"] for turn in asks(stack)] == ["answered"] * CONVERSATIONS * EACH
    late = longest_wait(stack)
    print(f"longest wait of a message that nothing but us held up: {late:.2f} s")
    # The worker that it was offered to may be draining one turn; ten seconds are for busy machines.
    assert late < TURN_S + 10


def longest_wait(stack: Stack) -> float:
    """Tell how long a turn waited at most since its message and the turn before it, in seconds.

    The gateway counts from its own start. The quickest turn of all is taken to have waited not at
    all; that tells the gateway's start well enough.
    """
    created = {row["_id"]: row["createdAt"] / 1000 for row in rows_for_agents(stack)}
    turns = [
        (created[turn["input_text"].rpartition("Notification ID: ")[2].strip()], turn)
        for turn in sorted(asks(stack), key=lambda turn: turn["received_at"])
    ]
    start = max(at - turn["received_at"] for at, turn in turns)
    ended: dict[str, float] = {}
    waits = []
    for at, turn in turns:
        before = ended.get(turn["session_key"], 0.0)
        waits.append(turn["received_at"] - max(at - start, before))
        ended[turn["session_key"]] = turn["ended_at"]
    return max(waits)


def test_a_second_signal_gives_turns_back_at_once(start_stack) -> None:
    stack: Stack = start_stack(workers=1, DRAIN_TIMEOUT_MS="60000", DELIVERY_LEASE_MS="60000")
    task = stack.sandbox["taskId"]
    stack.human("post_message", task=task, content="@engineer [[hang]] [[times:1]]")
    until(lambda: asks(stack))
    first = stack.workers[0]

    first.terminate()
    # What comes together is one signal.
    first.signal_group(signal.SIGTERM)
    stack.add_worker()
    time.sleep(2.5)
    assert first.exit_code is None
    first.signal_group(signal.SIGTERM)

    until(lambda: first.exit_code, lambda code: code == 0, seconds=10)
    await_all_delivered(stack, 1, seconds=20)
    assert [ask["outcome"] for ask in asks(stack)] == ["aborted", "answered"]


def test_a_second_signal_ends_a_runtime_that_waits_for_the_backend(start_stack) -> None:
    stack: Stack = start_stack()
    stack._sandbox.signal_group(signal.SIGSTOP)
    try:
        time.sleep(2)
        stack.runtime.signal_group(signal.SIGTERM)
        time.sleep(1.5)
        assert stack.runtime.exit_code is None
        stack.runtime.signal_group(signal.SIGTERM)
        until(lambda: stack.runtime.exit_code, lambda code: code == 1, seconds=10)
    finally:
        stack._sandbox.signal_group(signal.SIGCONT)
