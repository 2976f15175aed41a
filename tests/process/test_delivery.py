"""The main job end to end: real processes, real Redis, real HTTP on both sides."""

import os
import signal
from itertools import pairwise

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dispatcher.lab.stack import Stack
from tests.process.facts import (
    asks,
    assert_answered_once_each,
    assert_no_overlaps,
    await_all_delivered,
    replies,
    rows_for_agents,
)
from tests.process.trouble import running
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def test_a_mention_is_answered_in_its_thread(start_stack) -> None:
    stack = start_stack()

    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer hello")

    await_all_delivered(stack, 1)
    assert [reply["content"] for reply in replies(stack)] == ["Done: engineer hello"]
    assert_answered_once_each(stack, 1)
    row = rows_for_agents(stack)[0]
    assert "readAt" in row
    assert asks(stack)[0]["session_key"].startswith(f"agent:engineer:task:{row['taskId']}:")


def test_an_assignment_is_acknowledged_and_its_task_moves_on(start_stack) -> None:
    stack = start_stack()
    task = stack.human("create_task", title="Build it")

    stack.human("assign", task=task, agents=[stack.sandbox["agents"]["engineer"]])

    await_all_delivered(stack, 1)
    found = stack.human("rows", table="tasks")
    assert [each["status"] for each in found if each["_id"] == task] == ["in_progress"]


def test_item_46_one_conversation_is_served_in_order_and_two_side_by_side(start_stack) -> None:
    stack = start_stack(delay=0.4)
    other = stack.human("create_task", title="Other")
    for number in range(3):
        for task in (stack.sandbox["taskId"], other):
            stack.human("post_message", task=task, content=f"@engineer part {number}")

    await_all_delivered(stack, 6)
    assert_answered_once_each(stack, 6)
    assert_no_overlaps(stack)
    for task in (stack.sandbox["taskId"], other):
        told = [r["content"] for r in replies(stack) if r["taskId"] == task]
        assert told == [f"Done: engineer part {number}" for number in range(3)]
    turns = sorted(asks(stack), key=lambda ask: ask["started_at"])
    assert any(b["started_at"] < a["ended_at"] for a, b in pairwise(turns))


def test_item_47_a_failing_conversation_does_not_delay_another(start_stack) -> None:
    stack = start_stack()
    other = stack.human("create_task", title="Other")
    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer [[error:500]]")
    stack.human("post_message", task=other, content="@engineer fine")

    until(lambda: [r for r in replies(stack) if r["taskId"] == other])


def test_item_48_a_later_row_waits_for_the_failed_one_before_it(start_stack) -> None:
    stack = start_stack()
    task = stack.sandbox["taskId"]
    stack.human("post_message", task=task, content="@engineer first [[error:500]] [[times:1]]")
    until(lambda: asks(stack))
    stack.human("post_message", task=task, content="@engineer second")

    await_all_delivered(stack, 2)
    told = [reply["content"] for reply in replies(stack)]
    assert [text.split()[2] for text in told] == ["first", "second"]
    assert [ask["outcome"] for ask in asks(stack)] == ["failed", "answered", "answered"]


def test_a_message_that_arrives_during_a_run_gets_its_own_turn(start_stack) -> None:
    stack = start_stack(delay=1.0)
    task = stack.human("create_task", title="Talk")
    stack.human("assign", task=task, agents=[stack.sandbox["agents"]["engineer"]])
    await_all_delivered(stack, 1)
    stack.human("post_message", task=task, content="one")
    until(lambda: len(asks(stack)) == 2)

    stack.human("post_message", task=task, content="two")

    until(lambda: [r["content"] for r in replies(stack)][1:] == ["Done: one", "Done: two"])
    until(lambda: all("deliveredAt" in row for row in rows_for_agents(stack)))


def test_a_killed_worker_loses_nothing_and_repeats_nothing_that_was_answered(start_stack) -> None:
    stack = start_stack(workers=2, delay=2.0)
    tasks = [stack.human("create_task", title=f"Task {number}") for number in range(6)]
    for number in range(3):
        for task in tasks:
            stack.human("post_message", task=task, content=f"@engineer part {number}")
    # In the middle of the second turns: an answer that has come but is not stored yet is asked again.
    until(lambda: len(replies(stack)) >= 6 and len(running(stack)) == 6)

    stack.workers[0].kill()

    await_all_delivered(stack, 18, seconds=60)
    assert_answered_once_each(stack, 18)
    answered = [a["input_text"] for a in asks(stack) if a["outcome"] == "answered"]
    assert len(answered) == len(set(answered)) == 18


def test_a_runtime_that_dies_and_comes_back_loses_nothing(start_stack) -> None:
    stack = start_stack()
    stack.runtime.kill()
    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer still there?")

    stack.start_runtime()

    await_all_delivered(stack, 1)
    assert_answered_once_each(stack, 1)


def test_sigterm_lets_the_running_turn_finish(start_stack) -> None:
    stack = start_stack(delay=2.0)
    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer slow one")
    until(lambda: asks(stack))
    task = stack.human("create_task", title="Next")
    worker = stack.workers[0]

    worker.terminate()
    stack.human("post_message", task=task, content="@engineer too late for this worker")

    until(lambda: worker.exit_code, lambda code: code is not None, seconds=20)
    assert worker.exit_code == 0
    assert [ask["outcome"] for ask in asks(stack)] == ["answered"]
    assert len(replies(stack)) == 1


def test_what_does_not_finish_within_the_drain_goes_to_another_worker_at_once(start_stack) -> None:
    stack = start_stack(delay=0.1, DRAIN_TIMEOUT_MS="1000", DELIVERY_LEASE_MS="60000")
    stack.human(
        "post_message",
        task=stack.sandbox["taskId"],
        content="@engineer [[hang]] [[times:1]]",
    )
    until(lambda: asks(stack))

    stack.workers[0].terminate()
    stack.add_worker()

    # The lease of a minute would keep everybody else out if the claim had not been given back.
    await_all_delivered(stack, 1, seconds=25)
    assert [ask["outcome"] for ask in asks(stack)] == ["aborted", "answered"]
    assert_answered_once_each(stack, 1)


def test_an_ask_that_hangs_ends_at_its_time_out_and_is_tried_again(start_stack) -> None:
    stack = start_stack(OPENCLAW_REQUEST_TIMEOUT_MS="5000")
    stack.human(
        "post_message",
        task=stack.sandbox["taskId"],
        content="@engineer [[hang]] [[times:1]]",
    )

    await_all_delivered(stack, 1, seconds=40)
    assert [ask["outcome"] for ask in asks(stack)] == ["aborted", "answered"]


def test_a_delivery_that_keeps_failing_dies_and_makes_way(start_stack) -> None:
    stack = start_stack(DELIVERY_MAX_ATTEMPTS="2", DELIVERY_BACKOFF_MAX_MS="1000")
    task = stack.sandbox["taskId"]
    stack.human("post_message", task=task, content="@engineer [[failed]]")
    stack.human("post_message", task=task, content="@engineer fine")

    await_all_delivered(stack, 2)
    notice, answer = [reply["content"] for reply in replies(stack)]
    assert "could not be answered" in notice
    assert answer == "Done: engineer fine"
    assert stack.health()["store"]["dead"] == 1


def test_a_stopped_redis_is_survived_by_all_processes(start_stack) -> None:
    """The embedded Redis keeps nothing on disk: what it forgot comes back from the backend."""
    stack = start_stack()
    stack.redis.kill()
    until(lambda: stack.health()["status"] == "degraded")
    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer hello again")

    stack.redis.start()

    await_all_delivered(stack, 1, seconds=40)
    assert_answered_once_each(stack, 1)


def test_both_kinds_of_process_expose_valid_metrics(start_stack) -> None:
    stack = start_stack()
    stack.human("post_message", task=stack.sandbox["taskId"], content="@engineer hello")
    await_all_delivered(stack, 1)

    runtime = httpx.get(f"{stack.url}/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(runtime)}
    assert families["mission_control_deliveries_put"].samples[0].value >= 1
    assert families["mission_control_dead_letters"].samples[0].value == 0

    # The mark is followed by the settling, and that by the count.
    until(lambda: settled_mentions(stack), lambda found: found == [("answered", 1.0)])


def settled_mentions(stack: Stack) -> list[tuple[str, float]]:
    worker = httpx.get(stack.worker_metrics_url(0)).text
    families = {family.name: family for family in text_string_to_metric_families(worker)}
    return [
        (one.labels["cause"], one.value)
        for one in families["mission_control_attempts"].samples
        if one.name.endswith("_total")
        and (one.labels["kind"], one.labels["result"]) == ("mention", "settled")
    ]


def test_a_stack_stops_without_leaving_a_process(start_stack) -> None:
    stack = start_stack()
    pids = [stack.runtime.pid, stack.workers[0].pid, stack.redis.pid]

    stack.stop()

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
