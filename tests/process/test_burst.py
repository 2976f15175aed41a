"""Four hundred notifications at once: each answered once, in order, no two turns of one session."""

import pytest

from tests.process.facts import (
    assert_answered_once_each,
    assert_no_overlaps,
    await_all_delivered,
    replies,
)

CONVERSATIONS, EACH = 100, 4


@pytest.mark.process
@pytest.mark.timeout(180)
def test_a_burst_is_answered_once_each_in_order_and_without_overlap(start_stack) -> None:
    stack = start_stack(
        delay=1.0,
        workers=1,
        WORKER_THREADS="128",
        DELIVERY_LEASE_MS="12000",
        DELIVERY_MAX_CONCURRENT_SESSIONS="100",
        DELIVERY_MAX_CONCURRENT_PER_AGENT="100",
    )
    stack.runtime.stop(within_s=10)
    tasks = [stack.human("create_task", title=f"Task {n}") for n in range(CONVERSATIONS)]
    for number in range(EACH):
        for task in tasks:
            stack.human("post_message", task=task, content=f"@engineer part {number}")

    stack.start_runtime()

    await_all_delivered(stack, CONVERSATIONS * EACH, seconds=120)
    assert_answered_once_each(stack, CONVERSATIONS * EACH)
    assert_no_overlaps(stack)
    told: dict[str, list[str]] = {}
    for reply in replies(stack):
        told.setdefault(reply["taskId"], []).append(reply["content"])
    expected = [f"Done: engineer part {number}" for number in range(EACH)]
    assert all(texts == expected for texts in told.values())
    turns = stack.asks()
    span = max(turn["ended_at"] for turn in turns) - min(turn["received_at"] for turn in turns)
    print(f"makespan at the gateway: {span:.1f} s; the agents alone need {EACH} s")
