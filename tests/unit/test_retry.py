"""What becomes of a delivery after each kind of failure."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import errors
from dispatcher.domain.delivery import (
    Blame,
    Blamed,
    Claim,
    Dead,
    Resting,
    Sign,
    Spent,
    entry_of,
)
from dispatcher.domain.errors import BackendError, DispatcherError, GatewayError
from dispatcher.domain.retry import (
    ASKS_FOR_A_REPLY,
    Bounds,
    Cause,
    attempt_spent,
    backoff,
    cause_of,
    decide,
    is_fused,
    sign_of,
    world_delay,
)
from tests.samples import notification

BOUNDS = Bounds(
    max_attempts=6, backoff_base=timedelta(seconds=5), backoff_max=timedelta(seconds=300)
)
PUT_AT = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
ABSTRACT = {BackendError, GatewayError}


def a_claim(
    *, attempts: int = 0, waits: int = 0, unanswered: int = 0, age: timedelta = SECOND
) -> Claim:
    entry = entry_of(notification())
    return Claim(
        conversation=entry.conversation,
        token="t",
        delivery=entry.delivery,
        entry=entry,
        attempts=attempts,
        waits=waits,
        unanswered=unanswered,
        looks=0,
        strikes=0,
        put_at=PUT_AT,
        claimed_at=PUT_AT + age,
        row_key_user=None,
        journal_text="",
    )


def rests(error: DispatcherError, claim: Claim) -> Resting:
    outcome = decide(error, claim, BOUNDS)
    assert isinstance(outcome, Resting), outcome
    return outcome


def classes_below(root: type[DispatcherError]) -> list[type[DispatcherError]]:
    found = [root]
    for kind in root.__subclasses__():
        found += classes_below(kind)
    return found


def make(kind: type[DispatcherError]) -> DispatcherError:
    return kind("what happened")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errors.GatewayUnavailable("draining"), Cause.GATEWAY_UNAVAILABLE),
        (errors.GatewayMisconfigured("401"), Cause.GATEWAY_MISCONFIGURED),
    ],
)
@pytest.mark.parametrize("waits", [0, 3, 1_000_000])
def test_a_gateway_that_takes_nothing_opens_the_circuit_and_costs_no_attempt(
    error: errors.GatewayError, cause: Cause, waits: int
) -> None:
    outcome = rests(error, a_claim(waits=waits, attempts=5))

    assert outcome.spends is Spent.WAIT
    assert outcome.cause == cause
    assert outcome.blame.party is Blamed.GATEWAY
    assert outcome.delay == timedelta(0), "it waits in line, not by itself"


def test_the_gateways_own_wish_is_obeyed() -> None:
    wish = timedelta(seconds=90)

    outcome = rests(errors.GatewayUnavailable("busy", retry_after=wish), a_claim())

    assert outcome.blame.wish == wish


@pytest.mark.parametrize("waits", [0, 1_000_000])
def test_an_agent_that_cannot_run_rests_and_others_go_on(waits: int) -> None:
    outcome = rests(errors.AgentUnavailable("unknown agent"), a_claim(waits=waits))

    assert outcome.spends is Spent.WAIT
    assert outcome.delay == timedelta(0)
    assert outcome.blame == Blame(party=Blamed.AGENT, first=MINUTE, longest=30 * MINUTE)
    assert outcome.sign is Sign.ANSWERS, "the gateway itself is well"


def test_an_unpaid_bill_rests_as_long_as_it_asks_for() -> None:
    outcome = rests(errors.AgentUnavailable("402", rest=10 * MINUTE), a_claim())

    assert outcome.blame.wish == 10 * MINUTE
    assert outcome.spends is Spent.WAIT


def test_a_throttled_agent_rests_by_the_usual_backoff() -> None:
    outcome = rests(errors.AgentUnavailable("429", is_throttled=True), a_claim())

    assert outcome.blame.party is Blamed.AGENT
    assert outcome.blame.first == BOUNDS.backoff_base
    assert outcome.blame.longest == BOUNDS.backoff_max


def test_after_a_day_an_agent_that_cannot_run_costs_attempts() -> None:
    old = timedelta(days=1)

    outcome = rests(errors.AgentUnavailable("403"), a_claim(age=old, waits=9))

    assert outcome.spends is Spent.ATTEMPT
    assert outcome.blame.party is Blamed.AGENT
    assert rests(errors.AgentUnavailable("403"), a_claim(age=old - SECOND)).spends is Spent.WAIT


def test_after_a_day_and_all_attempts_it_is_dead() -> None:
    claim = a_claim(age=timedelta(days=2), attempts=5)

    assert decide(errors.AgentUnavailable("403"), claim, BOUNDS) == Dead(
        cause=Cause.AGENT_UNAVAILABLE, sign=Sign.ANSWERS
    )


def test_a_request_that_will_never_be_accepted_is_dead_at_once() -> None:
    assert decide(errors.AskRefused("413"), a_claim(), BOUNDS) == Dead(
        cause=Cause.ASK_REFUSED, sign=Sign.ANSWERS
    )


@pytest.mark.parametrize("cause", list(Cause))
def test_only_deaths_that_the_gateway_can_cause_blow_the_fuse(cause: Cause) -> None:
    by_the_gateway = {"ask_refused", "ask_failed", "ask_timed_out", "ask_lost", "agent_unavailable"}

    assert is_fused(cause) == (cause.value in by_the_gateway)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errors.AskFailed("500"), Cause.ASK_FAILED),
        (errors.AskTimedOut("60 s"), Cause.ASK_TIMED_OUT),
        (errors.AskLost("reset"), Cause.ASK_LOST),
        (errors.BackendRedacted("Server Error"), Cause.BACKEND_REDACTED),
        (errors.JournalUnreadable("v2"), Cause.JOURNAL_UNREADABLE),
    ],
)
def test_a_failure_with_an_unknown_cause_spends_attempts_and_kills_in_the_end(
    error: DispatcherError, cause: Cause
) -> None:
    for attempts in range(BOUNDS.max_attempts - 1):
        outcome = rests(error, a_claim(attempts=attempts))
        assert outcome.spends is Spent.ATTEMPT
        assert outcome.cause == cause
        assert outcome.delay <= BOUNDS.backoff_max

    last = a_claim(attempts=BOUNDS.max_attempts - 1)
    assert decide(error, last, BOUNDS) == Dead(cause=cause, sign=sign_of(cause))


def test_after_a_broken_connection_the_gateway_gets_time_to_recover() -> None:
    """It runs the interrupted turn again by itself soon after its start."""
    hasty = Bounds(
        max_attempts=6,
        backoff_base=timedelta(milliseconds=1),
        backoff_max=timedelta(milliseconds=2),
    )

    outcome = decide(errors.AskLost("reset"), a_claim(), hasty)

    assert isinstance(outcome, Resting)
    assert outcome.delay == timedelta(seconds=10)


@pytest.mark.parametrize(
    "error",
    [
        errors.BackendUnavailable("overloaded"),
        errors.BackendUncertain("timed out"),
        errors.BackendGarbled("<html>"),
        errors.BackendMisused("404"),
    ],
)
def test_a_backend_that_is_away_costs_no_attempt(error: DispatcherError) -> None:
    outcome = rests(error, a_claim(attempts=5, waits=50))

    assert outcome.spends is Spent.WAIT
    assert outcome.cause == Cause.BACKEND_UNAVAILABLE
    assert 15 * SECOND <= outcome.delay <= 30 * SECOND


@pytest.mark.parametrize("kind", [errors.BackendRefused, errors.RowGone])
def test_a_readable_no_of_the_backend_is_final(kind: type[BackendError]) -> None:
    assert decide(kind("no"), a_claim(), BOUNDS) == Dead(cause=Cause.BACKEND_REFUSED)


@pytest.mark.parametrize("kind", [errors.CredentialsRejected, errors.DeploymentOff])
def test_wrong_credentials_stop_all_calls_of_the_backend(kind: type[BackendError]) -> None:
    outcome = rests(kind("no"), a_claim(attempts=5))

    assert outcome.spends is Spent.WAIT
    assert outcome.cause == Cause.CREDENTIALS_REJECTED
    assert outcome.blame == Blame(party=Blamed.BACKEND, first=MINUTE, longest=MINUTE)


def test_suspected_credentials_only_make_the_delivery_wait() -> None:
    """The backend hides why; three suspicions in a row are the poller's to count."""
    outcome = rests(errors.CredentialsSuspected("no"), a_claim(attempts=5))

    assert outcome.spends is Spent.WAIT
    assert outcome.blame.party is Blamed.NOBODY
    assert outcome.delay == 20 * SECOND


def test_what_we_cancelled_ourselves_goes_on_at_once_and_costs_nothing() -> None:
    outcome = rests(errors.AskCancelled("the worker drains"), a_claim(attempts=5))

    assert outcome == Resting(delay=timedelta(0), cause=Cause.DRAINING, spends=Spent.NOTHING)


def test_an_agent_is_asked_three_times_for_a_required_reply() -> None:
    assert ASKS_FOR_A_REPLY == 3


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for root in (BackendError, GatewayError)
        for kind in classes_below(root)
        if kind not in ABSTRACT
    ],
)
def test_every_error_of_the_outside_has_a_cause_of_its_own(kind: type[DispatcherError]) -> None:
    assert cause_of(make(kind)) is not Cause.DEFECT


@pytest.mark.parametrize("kind", sorted(ABSTRACT, key=str))
def test_an_abstract_root_is_never_raised_so_it_is_a_defect(kind: type[DispatcherError]) -> None:
    assert cause_of(make(kind)) is Cause.DEFECT


@pytest.mark.parametrize("kind", classes_below(BackendError) + classes_below(GatewayError))
def test_the_last_attempt_of_any_kind_still_has_an_outcome(kind: type[DispatcherError]) -> None:
    for attempts in (0, 5, 49, 1_000_000):
        claim = a_claim(attempts=attempts, waits=attempts, age=timedelta(days=attempts))
        outcome = decide(make(kind), claim, BOUNDS)
        assert isinstance(outcome, Dead) or outcome.delay >= timedelta(0)


milliseconds = st.integers(1_000, 86_400_000).map(lambda ms: timedelta(milliseconds=ms))
bounds = st.builds(
    lambda attempts, one, other: Bounds(
        max_attempts=attempts, backoff_base=min(one, other), backoff_max=max(one, other)
    ),
    st.integers(1, 50),
    milliseconds,
    milliseconds,
)


@given(limits=bounds, attempt_no=st.integers(1, 1_000_000))
def test_no_backoff_leaves_its_bounds(limits: Bounds, attempt_no: int) -> None:
    assert limits.backoff_base <= backoff(attempt_no, limits) <= limits.backoff_max


@given(limits=bounds, attempt_no=st.integers(1, 15))
def test_the_backoff_grows_no_faster_than_by_doubling(limits: Bounds, attempt_no: int) -> None:
    assert backoff(attempt_no, limits) <= limits.backoff_base * 2**attempt_no


@given(waits=st.integers(0, 1_000_000))
def test_the_world_is_looked_at_again_within_half_a_minute(waits: int) -> None:
    ceiling = min(30.0, 2.0 * 2 ** min(waits, 20))

    assert ceiling / 2 <= world_delay(waits).total_seconds() <= ceiling


@given(limits=bounds, attempts=st.integers(0, 60))
def test_an_attempt_is_spent_until_the_last_one(limits: Bounds, attempts: int) -> None:
    outcome = attempt_spent(Cause.DEFECT, a_claim(attempts=attempts), limits)

    assert isinstance(outcome, Dead) == (attempts + 1 >= limits.max_attempts)
