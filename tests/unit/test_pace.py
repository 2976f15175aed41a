"""The rhythm of the poller."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.runtime.pace import Pace

FAST = timedelta(seconds=1)
SLOW = timedelta(seconds=15)
BASE = timedelta(seconds=5)
MOST = timedelta(seconds=300)
NOW = timedelta(0)


@pytest.fixture
def pace() -> Pace:
    return Pace(fast=FAST, slow=SLOW, backoff_base=BASE, backoff_max=MOST)


def idle(pace: Pace, total: timedelta) -> list[timedelta]:
    """Poll without work until that much time has passed; return all delays."""
    delays: list[timedelta] = []
    while sum(delays, NOW) < total:
        delays.append(pace.after_success(had_work=False, is_full=False))
    return delays


def test_it_is_fast_while_there_was_work_within_the_last_minute(pace: Pace) -> None:
    pace.after_success(had_work=True, is_full=False)

    assert set(idle(pace, timedelta(seconds=59))) == {FAST}


def test_without_work_it_slows_down_step_by_step_to_the_interval(pace: Pace) -> None:
    delays = idle(pace, timedelta(minutes=5))

    assert delays == sorted(delays)
    assert delays[0] == FAST
    assert delays[-1] == SLOW
    assert len(set(delays)) > 3


def test_work_makes_it_fast_again(pace: Pace) -> None:
    idle(pace, timedelta(minutes=5))

    assert pace.after_success(had_work=True, is_full=False) == FAST
    assert set(idle(pace, timedelta(seconds=59))) == {FAST}


def test_somebody_who_says_that_there_is_work_makes_it_fast_again(pace: Pace) -> None:
    idle(pace, timedelta(minutes=5))

    pace.quicken()

    assert set(idle(pace, timedelta(seconds=59))) == {FAST}


def test_a_full_page_is_followed_by_the_next_poll_at_once(pace: Pace) -> None:
    assert pace.after_success(had_work=True, is_full=True) == NOW
    assert pace.after_success(had_work=True, is_full=False) == FAST


def test_the_fast_rhythm_is_never_slower_than_the_interval() -> None:
    pace = Pace(fast=timedelta(minutes=1), slow=SLOW, backoff_base=BASE, backoff_max=MOST)

    assert pace.after_success(had_work=True, is_full=False) == SLOW


def test_item_80_an_empty_list_is_looked_at_again_after_the_interval(pace: Pace) -> None:
    idle(pace, timedelta(minutes=10))

    assert pace.after_success(had_work=False, is_full=False) == SLOW


@given(failures=st.integers(1, 60))
def test_item_81_the_delay_after_failures_grows_and_keeps_its_maximum(failures: int) -> None:
    pace = Pace(fast=FAST, slow=SLOW, backoff_base=BASE, backoff_max=MOST)

    delays = [pace.after_failure() for _ in range(failures)]

    for at, delay in enumerate(delays):
        assert NOW < delay <= min(MOST, BASE * 2 ** min(at, 20))
    assert pace.failures == failures


def test_item_81_two_runtimes_do_not_come_back_at_the_same_moment(pace: Pace) -> None:
    """Jitter: the delays after the same failure differ."""
    for _ in range(10):
        pace.after_failure()

    assert len({pace.after_failure() for _ in range(20)}) > 1


def test_a_success_forgets_the_failures(pace: Pace) -> None:
    for _ in range(10):
        pace.after_failure()

    pace.after_success(had_work=False, is_full=False)

    assert pace.failures == 0
    assert pace.after_failure() <= BASE
