"""Two runtimes: one leads, the other stands by and takes over."""

import httpx
import pytest

from tests.process.facts import assert_answered_once_each, await_all_delivered
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def leads(url: str) -> bool:
    return bool(httpx.get(f"{url}/health").json()["leads"])


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def mention(stack, text: str) -> None:
    stack.human("post_message", task=stack.sandbox["taskId"], content=text)


def test_a_standby_takes_over_from_a_killed_leader(start_stack) -> None:
    stack = start_stack()
    stack.add_runtime()
    standby = stack.standby_urls[0]
    until(lambda: is_ready(standby), seconds=20)
    assert leads(stack.url)
    assert not leads(standby)

    stack.runtime.kill()
    mention(stack, "@engineer are you there?")

    until(lambda: leads(standby), seconds=30)
    await_all_delivered(stack, 1)
    assert_answered_once_each(stack, 1)


def test_a_leader_that_stops_cleanly_hands_over_at_once(start_stack) -> None:
    stack = start_stack()
    stack.add_runtime()
    standby = stack.standby_urls[0]
    until(lambda: is_ready(standby), seconds=20)

    stack.runtime.stop(within_s=10)

    until(lambda: leads(standby), seconds=10)
