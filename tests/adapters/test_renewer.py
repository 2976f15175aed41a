"""The worker's own watch over its leases, with a clock that stands still."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.domain.delivery import Claim
from dispatcher.domain.errors import LeaseLost, StoreUnavailable
from tests.waiting import until
from workers.renewer import HeldClaim, Renewer

LEASE = timedelta(seconds=12)
GOOD_FOR_S = 9.0
CEILING = timedelta(minutes=30)


class ManualClock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def pass_s(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Leases:
    """A store of leases: keeps what it was not told to refuse."""

    clock: ManualClock
    refused: set[str] = field(default_factory=set)
    is_away: bool = False
    takes_s: float = 0.0
    calls: list[tuple[list[str], timedelta]] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def renew(self, claims: list[Claim], *, ceiling: timedelta) -> tuple[bool, ...]:
        self.calls.append(([claim.token for claim in claims], ceiling))
        self.clock.pass_s(self.takes_s)
        self.meanwhile()
        if self.is_away:
            raise StoreUnavailable("Redis: ConnectionError")
        return tuple(claim.token not in self.refused for claim in claims)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def leases(clock: ManualClock) -> Leases:
    return Leases(clock)


@pytest.fixture
def renewer(leases: Leases, clock: ManualClock) -> Renewer:
    return Renewer(leases, clock=clock, lease=LEASE, ceiling=CEILING)


def is_ours(held: HeldClaim) -> bool:
    try:
        held.check()
    except LeaseLost:
        return False
    return True


def test_a_claim_is_ours_at_first(renewer: Renewer, claim: Claim) -> None:
    """The store has just given it."""
    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        held.check()


@pytest.mark.parametrize(("waited_s", "expected"), [(8.9, True), (9.1, False), (100, False)])
def test_an_overdue_renewal_counts_as_lost(
    renewer: Renewer, clock: ManualClock, claim: Claim, waited_s: float, expected: bool
) -> None:
    """A worker that was frozen must notice by itself, before Redis hands the mailbox on."""
    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        clock.pass_s(waited_s)

        assert is_ours(held) is expected


def test_the_watch_closes_what_runs_under_an_overdue_claim(
    renewer: Renewer, clock: ManualClock, claim: Claim
) -> None:
    """The ask is closed, and a late confirmation does not bring the claim back."""
    closed: list[str] = []
    with (
        renewer.hold(claim, since=renewer._clock.monotonic()) as held,
        held.on_loss(lambda: closed.append("ask")),
    ):
        clock.pass_s(GOOD_FOR_S - 0.1)
        renewer.watch_once()
        before = list(closed)
        clock.pass_s(0.2)
        renewer.watch_once()
        renewer.renew_once()

        assert (before, closed[:1]) == ([], ["ask"])
        assert not is_ours(held)


def test_a_refused_renewal_is_a_loss(renewer: Renewer, leases: Leases, claim: Claim) -> None:
    """Somebody else may hold the mailbox now."""
    closed: list[str] = []
    leases.refused.add(claim.token)

    with (
        renewer.hold(claim, since=renewer._clock.monotonic()) as held,
        held.on_loss(lambda: closed.append("ask")),
    ):
        renewer.renew_once()

        assert closed == ["ask"]
        assert not is_ours(held)


def test_only_the_refused_claim_is_lost(renewer: Renewer, leases: Leases, claim: Claim) -> None:
    """One call renews all claims of the process."""
    other = claim.evolve(token="claim-2")
    leases.refused.add("claim-2")

    with (
        renewer.hold(claim, since=renewer._clock.monotonic()) as first,
        renewer.hold(other, since=renewer._clock.monotonic()) as second,
    ):
        renewer.renew_once()

        assert (is_ours(first), is_ours(second)) == (True, False)
        assert leases.calls == [(["claim-1", "claim-2"], CEILING)]


def test_a_confirmed_renewal_counts_from_when_it_was_sent(
    renewer: Renewer, leases: Leases, clock: ManualClock, claim: Claim
) -> None:
    """Redis may have counted from the moment it arrived, long before the answer did."""
    leases.takes_s = 5.0
    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        clock.pass_s(4)
        renewer.renew_once()

        clock.pass_s(3.9)
        assert is_ours(held)
        clock.pass_s(0.2)
        assert not is_ours(held)


def test_renewals_keep_a_claim_for_as_long_as_it_takes(
    renewer: Renewer, clock: ManualClock, claim: Claim
) -> None:
    """An agent may think for many leases."""
    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        for _ in range(100):
            clock.pass_s(4)
            renewer.renew_once()
            renewer.watch_once()
            held.check()


def test_an_answer_that_comes_after_a_later_one_takes_nothing_back(
    clock: ManualClock, claim: Claim
) -> None:
    """The newest confirmation counts, in whatever order they are noted."""
    held = HeldClaim(
        claim, clock=clock, good_for=timedelta(seconds=GOOD_FOR_S), since=clock.monotonic()
    )
    clock.pass_s(8)
    held.confirm(clock.monotonic())
    held.confirm(clock.monotonic() - 4)
    clock.pass_s(8)

    assert is_ours(held)


def test_a_store_that_is_away_loses_nothing_at_once(
    renewer: Renewer, leases: Leases, clock: ManualClock, claim: Claim
) -> None:
    """The lease lives on in Redis; only time decides."""
    leases.is_away = True
    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        clock.pass_s(4)
        renewer.renew_once()
        still = is_ours(held)
        clock.pass_s(4)
        leases.is_away = False
        renewer.renew_once()
        clock.pass_s(8)

        assert still
        assert is_ours(held)


def test_nothing_held_is_nothing_asked(renewer: Renewer, leases: Leases) -> None:
    """An idle worker leaves Redis alone."""
    renewer.renew_once()
    renewer.watch_once()

    assert leases.calls == []


def test_cancelling_all_closes_the_asks_and_keeps_the_claims(
    renewer: Renewer, claim: Claim
) -> None:
    """At the end of the drain the turns still give their claims back."""
    closed: list[str] = []
    other = claim.evolve(token="claim-2")

    with (
        renewer.hold(claim, since=renewer._clock.monotonic()) as first,
        first.on_loss(lambda: closed.append("first")),
        renewer.hold(other, since=renewer._clock.monotonic()) as second,
        second.on_loss(lambda: closed.append("second")),
    ):
        renewer.cancel_all()

        assert sorted(closed) == ["first", "second"]
        assert is_ours(first)
        assert is_ours(second)


def test_an_ask_that_begins_after_cancelling_all_is_closed_at_once(
    renewer: Renewer, claim: Claim
) -> None:
    """A turn may be between two asks when the drain time is over; the next one must not run."""
    closed: list[str] = []

    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        renewer.cancel_all()
        with held.on_loss(lambda: closed.append("ask")):
            assert closed == ["ask"]
        assert is_ours(held)


def test_an_ask_under_a_lost_claim_is_closed_at_once(
    renewer: Renewer, leases: Leases, claim: Claim
) -> None:
    """The loss came between the last check and the ask."""
    closed: list[str] = []
    leases.refused.add(claim.token)

    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        renewer.renew_once()
        with held.on_loss(lambda: closed.append("ask")):
            pass

    assert closed == ["ask"]


def test_an_ask_that_is_over_is_not_closed(renewer: Renewer, claim: Claim) -> None:
    """Its connection may serve somebody else."""
    closed: list[str] = []

    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        with held.on_loss(lambda: closed.append("ask")):
            pass
        held.lose()

    assert closed == []


def test_an_ask_that_raised_is_not_closed(renewer: Renewer, claim: Claim) -> None:
    """An error ends it like an answer."""
    closed: list[str] = []

    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        with pytest.raises(RuntimeError), held.on_loss(lambda: closed.append("ask")):
            raise RuntimeError
        held.cancel()

    assert closed == []


def test_a_claim_leaves_the_renewer_with_its_block(renewer: Renewer, leases: Leases,
                                                   claim: Claim) -> None:  # fmt: skip
    """Also when it raises: the claim of a dead turn must not be renewed for ever."""
    with renewer.hold(claim, since=renewer._clock.monotonic()):
        during = renewer.running
    with pytest.raises(RuntimeError), renewer.hold(claim, since=renewer._clock.monotonic()):
        raise RuntimeError
    renewer.renew_once()

    assert (during, renewer.running) == (1, 0)
    assert leases.calls == []


def test_a_claim_that_was_settled_meanwhile_is_not_told_as_lost(
    renewer: Renewer, leases: Leases, claim: Claim, caplog: pytest.LogCaptureFixture
) -> None:
    """The block ends while the renewal is under way; the store no longer knows the claim."""
    leases.refused.add(claim.token)
    block = renewer.hold(claim, since=renewer._clock.monotonic())
    held = block.__enter__()
    leases.meanwhile = lambda: block.__exit__(None, None, None) and None

    renewer.renew_once()

    assert is_ours(held)
    assert caplog.records == []


def test_the_ceiling_is_handed_through(renewer: Renewer, leases: Leases, claim: Claim) -> None:
    """The store ends a claim that is renewed for longer than any turn may take."""
    with renewer.hold(claim, since=renewer._clock.monotonic()):
        renewer.renew_once()

    assert leases.calls == [([claim.token], CEILING)]


@pytest.mark.parametrize(("lease_s", "good_for_s"), [(12, 9), (3, 2.25), (600, 597)])
def test_the_margin_fits_the_lease(
    leases: Leases, clock: ManualClock, claim: Claim, lease_s: float, good_for_s: float
) -> None:
    """Three seconds, but never more than a quarter of the lease."""
    renewer = Renewer(leases, clock=clock, lease=timedelta(seconds=lease_s), ceiling=CEILING)

    with renewer.hold(claim, since=renewer._clock.monotonic()) as held:
        clock.pass_s(good_for_s - 0.01)
        before = is_ours(held)
        clock.pass_s(0.02)

        assert (before, is_ours(held)) == (True, False)


def test_the_threads_renew_and_watch_until_stopped(
    leases: Leases, clock: ManualClock, claim: Claim
) -> None:
    """They run by the machine's clock; what is overdue is judged by ours."""
    renewer = Renewer(leases, clock=clock, lease=timedelta(seconds=0.3), ceiling=CEILING)
    closed = threading.Event()
    names = {"renewer", "lease-watch"}

    renewer.start()
    with renewer.hold(claim, since=renewer._clock.monotonic()) as held, held.on_loss(closed.set):
        until(lambda: len(leases.calls) > 1)
        leases.is_away = True
        clock.pass_s(60)
        until(closed.is_set)
    renewer.stop()

    until(lambda: names & {thread.name for thread in threading.enumerate()}, lambda left: not left)


def test_a_renewal_that_hangs_does_not_stop_the_watch(
    leases: Leases, clock: ManualClock, claim: Claim
) -> None:
    """It may hang in Redis for longer than the lease lives."""
    renewer = Renewer(leases, clock=clock, lease=LEASE, ceiling=CEILING)
    hanging, released, closed = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        released.wait(10)

    leases.meanwhile = hang
    with (
        ThreadPoolExecutor(1) as pool,
        renewer.hold(claim, since=renewer._clock.monotonic()) as held,
        held.on_loss(closed.set),
    ):
        pool.submit(renewer.renew_once)
        hanging.wait(10)
        clock.pass_s(60)
        renewer.watch_once()
        assert closed.is_set()
        released.set()
