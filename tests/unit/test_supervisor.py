"""Loops: a failing round ends nothing, defects come slower and slower, and what hangs is noticed."""

import threading
import time
from datetime import timedelta

import pytest

from dispatcher.domain.errors import BackendUnavailable, StoreUnusable
from dispatcher.runtime.supervisor import Loop, Supervisor
from tests.fakes.clock import ManualClock
from tests.waiting import until

RETRY = timedelta(seconds=2)


class Office:
    """A loop whose rounds a test writes, and what came of them."""

    def __init__(self, *rounds: Exception | timedelta) -> None:
        self.clock = ManualClock()
        self.rounds = list(rounds)
        self.failed: list[str] = []
        self.fatal: list[Exception] = []
        self.loop = Loop(
            "poll",
            self._round,
            clock=self.clock,
            retry_after=RETRY,
            on_failure=self.failed.append,
            on_fatal=self.fatal.append,
        )

    def _round(self) -> timedelta:
        found = self.rounds.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def delays(self) -> list[float]:
        return [self.loop._one_round().total_seconds() for _ in range(len(self.rounds))]


def test_a_defect_is_tried_again_slower_and_slower() -> None:
    office = Office(*[ValueError("oops")] * 6)

    assert office.delays() == [5, 10, 20, 40, 60, 60]
    assert office.failed == ["poll"] * 6


def test_trouble_outside_is_tried_again_soon() -> None:
    """Redis comes back in a moment, and recovery must not wait."""
    office = Office(*[BackendUnavailable("away")] * 4)

    assert office.delays() == [2, 2, 2, 2]


def test_a_round_that_succeeds_starts_over() -> None:
    office = Office(ValueError("a"), ValueError("b"), timedelta(seconds=1), ValueError("c"))

    assert office.delays() == [5, 10, 1, 5]
    assert office.loop.trouble() is None


def test_a_loop_that_fails_again_and_again_is_told_without_secrets() -> None:
    office = Office(*[ValueError("mc_service_acc_topsecret is odd")] * 3)
    office.delays()

    told = Supervisor((office.loop,)).troubles()

    assert len(told) == 1
    assert "The loop poll has failed 3 times in a row" in told[0]
    assert "topsecret" not in told[0]


def test_item_155_rounds_of_a_loop_never_overlap_however_often_it_is_woken() -> None:
    running, most, done = [], [], []

    def one_round() -> timedelta:
        running.append(1)
        time.sleep(0.02)
        most.append(len(running))
        running.pop()
        done.append(1)
        return timedelta(0)

    loop = Loop(
        "sync", one_round, clock=ManualClock(), retry_after=RETRY,
        on_failure=print, on_fatal=print,
    )  # fmt: skip
    supervisor = Supervisor((loop,))
    supervisor.start(on_hopeless=print)
    for _ in range(50):
        loop.wake.set()
        time.sleep(0.005)
    until(lambda: len(done) > 3)
    supervisor.stop(within=timedelta(seconds=5))

    assert max(most) == 1


def test_a_redis_that_may_not_be_used_ends_the_process() -> None:
    office = Office(StoreUnusable("it evicts"))
    office.delays()

    assert len(office.fatal) == 1


@pytest.mark.parametrize(
    ("minutes", "is_stuck", "is_hopeless"),
    [(4.9, False, False), (5.1, True, False), (14.9, True, False), (15.1, True, True)],
)
def test_what_hangs_is_unwell_first_and_given_up_later(
    minutes: float, is_stuck: bool, is_hopeless: bool
) -> None:
    office = Office()
    supervisor = Supervisor((office.loop,))

    office.clock.advance(timedelta(minutes=minutes))

    assert supervisor.stuck() == (("poll",) if is_stuck else ())
    assert supervisor.hopeless() == (("poll",) if is_hopeless else ())


def test_whoever_supervises_is_told_of_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.runtime.supervisor._WATCH_S", 0.01)
    office, told, hanging = Office(), [], threading.Event()
    office._round = lambda: hanging.wait() and timedelta(0)  # type: ignore[method-assign]
    loop = Loop(
        "poll", office._round, clock=office.clock, retry_after=RETRY,
        on_failure=office.failed.append, on_fatal=office.fatal.append,
    )  # fmt: skip
    supervisor = Supervisor((loop,))
    supervisor.start(on_hopeless=told.append)

    office.clock.advance(timedelta(minutes=16))

    until(lambda: told == [("poll",)])
    hanging.set()
    supervisor.stop(within=timedelta(seconds=5))
