"""The backend away while replies are ready: they wait, and no agent is asked for them again."""

import pytest

from tests.process.facts import (
    asks,
    assert_answered_once_each,
    await_all_delivered,
    replies,
)
from tests.process.trouble import (
    Store,
    assert_no_traceback,
    await_empty_store,
    await_recovered,
    break_backend,
    end_quickly,
    make_tasks,
    mend_backend,
    mention,
    running,
    throughout,
)
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

REPLIES, OUTAGE_S = 20, 10


def test_replies_that_wait_for_the_backend_are_posted_when_it_is_back(start_stack) -> None:
    """First connections break, then the backend answers 503; nothing of it is committed."""
    room = str(REPLIES)
    stack = start_stack(
        delay=6.0,
        WORKER_THREADS=room,
        DELIVERY_MAX_CONCURRENT_SESSIONS=room,
        DELIVERY_MAX_CONCURRENT_PER_AGENT=room,
    )
    for task in make_tasks(stack, REPLIES):
        mention(stack, task)
    until(lambda: len(running(stack)) == REPLIES)

    break_backend(stack, kind="drop", times=2 * REPLIES)
    break_backend(stack, kind="503_queue", times=10_000)
    until(lambda: not running(stack))
    throughout(OUTAGE_S, lambda: not replies(stack))
    mend_backend(stack)
    with Store(stack) as store:
        store.end_rests()

    await_all_delivered(stack, REPLIES, seconds=40)
    assert_answered_once_each(stack, REPLIES)
    assert [ask["outcome"] for ask in asks(stack)] == ["answered"] * REPLIES
    await_empty_store(stack)
    await_recovered(stack)
    end_quickly(stack)
    assert_no_traceback(stack)
