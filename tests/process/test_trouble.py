"""Trouble at the backend: nothing is lost, nothing is paid or posted twice, and health says why."""

import os
import signal
from pathlib import Path

import httpx
import pytest
import redis

from tests.process.facts import (
    asks,
    assert_answered_once_each,
    await_all_delivered,
    replies,
)
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def break_backend(stack, **fault) -> None:
    httpx.post(f"{stack.sandbox['backend']}/human/faults", json=fault).raise_for_status()


def mention(stack, text: str = "@engineer hello") -> None:
    stack.human("post_message", task=stack.sandbox["taskId"], content=text)


def wake(stack) -> None:
    token = stack.settings["CONSOLE_TOKEN"]
    answer = httpx.post(f"{stack.url}/wake", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 204


def test_a_lost_answer_to_a_post_makes_no_second_message(start_stack) -> None:
    stack = start_stack()
    break_backend(stack, action="createMessageFromAgent", kind="drop_after_commit")
    mention(stack)

    await_all_delivered(stack, 1)
    assert_answered_once_each(stack, 1)
    assert stack.ledger()["calls"]["createMessageFromAgent"] == 2
    assert len(asks(stack)) == 1


def test_an_agent_is_not_asked_again_while_the_backend_is_away(start_stack) -> None:
    stack = start_stack()
    break_backend(stack, action="createMessageFromAgent", kind="503_queue", times=3)
    break_backend(stack, action="markNotificationDelivered", kind="502_html", times=2)
    mention(stack)

    await_all_delivered(stack, 1, seconds=60)
    assert_answered_once_each(stack, 1)
    assert len(asks(stack)) == 1


def test_a_worker_killed_between_reply_and_mark_is_continued_not_repeated(start_stack) -> None:
    stack = start_stack()
    break_backend(stack, action="markNotificationDelivered", kind="delay", delay_s=5)
    mention(stack)
    until(lambda: replies(stack))

    stack.workers[0].kill()
    stack.add_worker()

    await_all_delivered(stack, 1, seconds=40)
    assert_answered_once_each(stack, 1)
    assert len(asks(stack)) == 1


def test_rejected_credentials_are_told_and_cost_nothing(start_stack) -> None:
    stack = start_stack()
    secret = stack.settings["SERVICE_TOKEN"].split("_", 3)[3]
    stack.human("rotate_token", secret="another")
    wake(stack)
    until(lambda: stack.health()["problems"], lambda found: "credentials" in str(found))
    answer = httpx.get(f"{stack.url}/readyz")
    assert answer.status_code == 503
    assert secret not in answer.text
    mention(stack)

    stack.human("rotate_token", secret=secret)
    wake(stack)

    await_all_delivered(stack, 1)
    assert stack.health()["status"] == "healthy"
    assert_answered_once_each(stack, 1)


def test_no_secret_reaches_a_log_or_an_answer(start_stack) -> None:
    stack = start_stack(LOG_LEVEL="debug")
    mention(stack, "@engineer [[error:500]] [[times:1]]")
    await_all_delivered(stack, 1, seconds=40)
    secrets = [stack.settings["SERVICE_TOKEN"], stack.settings["CONSOLE_TOKEN"]]
    secrets += [ask["session_key"].split(":", 2)[2] for ask in asks(stack)]

    told = [child.log.read_text() for child in (stack.runtime, *stack.workers)]
    told += [httpx.get(f"{stack.url}{path}").text for path in ("/", "/health", "/metrics")]

    assert all(secret not in text for secret in secrets for text in told)


def test_a_store_of_a_newer_program_ends_the_runtime_with_a_reason(start_stack) -> None:
    stack = start_stack()
    client = redis.Redis.from_url(stack.settings["REDIS_URL"])
    client.set(f"mission-control:{{{stack.settings['ACCOUNT_ID']}}}:layout", 99)
    client.close()

    until(lambda: stack.runtime.exit_code, lambda code: code is not None, seconds=40)

    assert stack.runtime.exit_code == 69
    assert "newer dispatcher" in stack.runtime.log.read_text()


def test_one_dead_process_of_a_worker_stops_neither_its_siblings_nor_their_work(
    start_stack,
) -> None:
    stack = start_stack(delay=1.0, WORKER_PROCESSES="2", WORKER_THREADS="4")
    until(lambda: len(worker_processes(stack)) == 2)

    os.kill(worker_processes(stack)[0], signal.SIGKILL)
    mention(stack)

    await_all_delivered(stack, 1, seconds=40)
    assert_answered_once_each(stack, 1)
    assert stack.workers[0].exit_code is None
    until(lambda: len(worker_processes(stack)) == 2)


def worker_processes(stack) -> list[int]:
    """The processes that the supervisor of the first worker keeps running."""
    children = Path(f"/proc/{stack.workers[0].pid}/task/{stack.workers[0].pid}/children")
    return [int(pid) for pid in children.read_text().split()]
