"""Trouble at the backend: nothing is lost, nothing is paid or posted twice, and health says why."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from tests.process.facts import (
    asks,
    assert_answered_once_each,
    await_all_delivered,
    replies,
    rows_for_agents,
)
from tests.process.trouble import (
    Store,
    delivery_of,
    end_quickly,
    make_tasks,
    running,
    throughout,
    wake,
)
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def break_backend(stack, **fault) -> None:
    httpx.post(f"{stack.sandbox['backend']}/human/faults", json=fault).raise_for_status()


def mention(stack, text: str = "@engineer hello") -> None:
    stack.human("post_message", task=stack.sandbox["taskId"], content=text)


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


def wait_all(stack, count: int) -> bool:
    """Say whether all deliveries are open and none is being worked at."""
    store = stack.health()["store"]
    return store["open"] == count and store["inFlight"] == 0 and not running(stack)


def pass_a_minute(stack) -> None:
    """Make all rests end now: nobody wants to wait for them."""
    with Store(stack) as store:
        store.end_rests()


def refuse_the_token_in_the_middle_of_turns(stack, count: int) -> str:
    """Let so many turns end under a token that is refused by then; return the good secret."""
    for task in make_tasks(stack, count):
        stack.human("post_message", task=task, content="@engineer hello")
    until(lambda: len(running(stack)) == count)
    stack.human("rotate_token", secret="another")
    wake(stack)
    until(lambda: wait_all(stack, count))
    return stack.settings["SERVICE_TOKEN"].split("_", 3)[3]


def test_credentials_rejected_in_the_middle_of_turns_spend_no_attempt_and_no_answer(
    start_stack,
) -> None:
    stack = start_stack(delay=5.0)
    secret = refuse_the_token_in_the_middle_of_turns(stack, 6)
    calls = sum(stack.ledger()["calls"].values())
    throughout(5, lambda: wait_all(stack, 6))
    assert sum(stack.ledger()["calls"].values()) - calls <= 1
    with Store(stack) as store:
        names = [store.key("delivery", delivery_of(row)) for row in rows_for_agents(stack)]
        assert {store.client.hget(name, "attempts") or "0" for name in names} == {"0"}

    stack.human("rotate_token", secret=secret)
    wake(stack)
    until(lambda: not stack.health()["problems"])
    pass_a_minute(stack)

    await_all_delivered(stack, 6)
    assert_answered_once_each(stack, 6)
    assert [ask["outcome"] for ask in asks(stack)] == ["answered"] * 6
    end_quickly(stack)


def test_rejected_credentials_are_shown_a_few_times_a_minute_however_many_wait(
    start_stack,
) -> None:
    stack = start_stack(delay=1.5)
    refuse_the_token_in_the_middle_of_turns(stack, 8)
    calls = sum(stack.ledger()["calls"].values())

    pass_a_minute(stack)
    throughout(3, lambda: stack.health()["store"]["open"] == 8)

    end_quickly(stack)
    assert sum(stack.ledger()["calls"].values()) - calls <= 5


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


def test_processes_of_a_worker_do_not_outlive_it(start_stack) -> None:
    """Nobody would tell them to end, and the next worker would run beside them."""
    stack = start_stack(WORKER_PROCESSES="2", WORKER_THREADS="4")
    masters = until(lambda: worker_processes(stack), lambda found: len(found) == 2)
    everybody = [child for one in masters for child in psutil.Process(one).children(recursive=True)]
    everybody += [psutil.Process(one) for one in masters]

    os.kill(stack.workers[0].pid, signal.SIGKILL)

    until(lambda: [one for one in everybody if is_alive(one)], lambda left: not left, seconds=30)


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def worker_processes(stack) -> list[int]:
    """The processes that the supervisor of the first worker keeps running."""
    children = Path(f"/proc/{stack.workers[0].pid}/task/{stack.workers[0].pid}/children")
    return [int(pid) for pid in children.read_text().split()]
