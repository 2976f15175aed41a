"""A gateway that goes away, and agents that cannot run: who waits, what is told, what it costs."""

from collections import Counter
from typing import Any

import httpx
import pytest

from dispatcher.lab.stack import Stack
from tests.process.facts import (
    asks,
    assert_answered_once_each,
    assert_no_overlaps,
    await_all_delivered,
    replies,
    rows_for_agents,
)
from tests.process.trouble import (
    Store,
    await_empty_store,
    await_recovered,
    end_quickly,
    make_tasks,
    mention,
    problems,
    running,
    set_rules,
    throughout,
)
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

CROWD = 24
CAP = 6
CAPS = {"DELIVERY_MAX_CONCURRENT_SESSIONS": str(CAP), "DELIVERY_MAX_CONCURRENT_PER_AGENT": str(CAP)}


def trouble(stack: Stack, kind: str, seconds: float) -> None:
    """Let the gateway be away or drain for a while."""
    url = f"{stack.sandbox['gateway']}/sandbox/{kind}"
    httpx.post(url, json={"seconds": seconds}).raise_for_status()


def is_away(stack: Stack) -> bool:
    try:
        answer = httpx.get(f"{stack.sandbox['gateway']}/readyz", timeout=2)
    except httpx.HTTPError:
        return True
    return answer.status_code != httpx.codes.OK


def refusals_logged(stack: Stack) -> int:
    """How many attempts the workers say that the gateway did not take."""
    logs = [worker.log.read_text() for worker in stack.workers]
    return sum(log.count('"cause": "gateway_unavailable"') for log in logs)


def attempts_of_all(stack: Stack) -> set[str]:
    """The attempts that were spent on what is open, as the store counts them."""
    with Store(stack) as store:
        names = store.client.zrange(store.key("open"), 0, -1)
        found = [store.client.hget(store.key("delivery", name), "attempts") for name in names]
    return {count or "0" for count in found}


@pytest.mark.parametrize("kind", ["away", "drain"])
def test_many_wait_for_a_gateway_that_is_gone_and_all_are_answered_after(start_stack, kind) -> None:
    stack = start_stack(**CAPS)
    tasks = make_tasks(stack, CROWD)
    trouble(stack, kind, 15)
    until(lambda: is_away(stack))

    for task in tasks:
        mention(stack, task)

    until(lambda: problems(stack), lambda found: "gateway" in str(found).lower())
    until(lambda: stack.health()["store"]["open"], lambda count: count == CROWD)
    told = until(lambda: problems(stack), lambda found: "Nobody asks the gateway" in str(found))
    assert any("gateway_unavailable" in problem for problem in told)
    assert attempts_of_all(stack) == {"0"}
    assert refusals_logged(stack) <= CAP + 4, "those who ran, and a few trials"
    await_all_delivered(stack, CROWD, seconds=40)
    assert_answered_once_each(stack, CROWD)
    assert_no_overlaps(stack)
    taken = Counter(ask["outcome"] for ask in asks(stack))
    assert taken["answered"] == CROWD
    assert taken["refused"] <= CAP + 4
    await_recovered(stack)
    await_empty_store(stack)
    end_quickly(stack)


def test_an_agent_that_is_unknown_rests_while_others_go_on(start_stack) -> None:
    stack = start_stack(**CAPS)
    set_rules(stack, {"agent": "writer", "error": "provider404"})
    for task in make_tasks(stack, 8):
        mention(stack, task, "@writer hello")
    for task in make_tasks(stack, 8):
        mention(stack, task)

    await_all_delivered(stack, 8)

    until(lambda: stack.health()["problems"], lambda found: "rests until" in str(found))
    assert problems(stack) == [], "one resting agent is no reason to be taken out of service"
    assert len(asks(stack, "writer")) <= CAP
    assert stack.health()["store"]["resting"] == 0
    throughout(2, lambda: len(asks(stack, "writer")) <= CAP)

    set_rules(stack)
    with Store(stack) as store:
        store.client.zadd(store.key("rests"), {stack.sandbox["agents"]["writer"]: 1})
    until(lambda: replies(stack, "writer"), lambda found: len(found) == 8)
    rows = {row["_id"] for row in rows_for_agents(stack, "writer")}
    assert {one["sourceNotificationId"] for one in replies(stack, "writer")} == rows
    await_empty_store(stack)
    end_quickly(stack)


def test_a_hung_agent_does_not_keep_the_others_waiting_when_the_gateway_is_back(
    start_stack,
) -> None:
    """The one trial goes to whoever waits longest: it must not wait for its time-out."""
    stack = start_stack(**CAPS)
    hung, *others = make_tasks(stack, 7)
    trouble(stack, "away", 12)
    until(lambda: is_away(stack))
    mention(stack, hung, "@engineer [[hang]]")
    until(lambda: stack.health()["store"]["open"], lambda count: count == 1)
    until(lambda: problems(stack), lambda found: "Nobody asks the gateway" in str(found))
    for task in others:
        mention(stack, task)
    until(lambda: not is_away(stack), seconds=30)
    until(lambda: running(stack))

    until(lambda: replies(stack), lambda found: len(found) == 6, seconds=25)

    assert_still_hung(stack)
    end_quickly(stack)


def assert_still_hung(stack: Stack) -> None:
    outcomes: list[Any] = [ask["outcome"] for ask in running(stack)]
    assert outcomes == ["running"]
