"""From a cause and the attempts so far to a decision: again at a time, or dead.

This is the only place that decides on trying again. All other layers are told not to.

A failure of the world outside spends no attempt. It names whom to leave alone instead: the whole
gateway (its circuit opens), one agent (it rests) or the backend; the store makes all deliveries
wait that need the same.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from dispatcher.domain import errors
from dispatcher.domain.delivery import (
    Blame,
    Blamed,
    Claim,
    Dead,
    Outcome,
    Resting,
    Sign,
    Spent,
)


class Cause(StrEnum):
    """Why an attempt did not settle its delivery; a metric label and a word in the log."""

    GATEWAY_UNAVAILABLE = "gateway_unavailable"
    GATEWAY_MISCONFIGURED = "gateway_misconfigured"
    AGENT_UNAVAILABLE = "agent_unavailable"
    ASK_REFUSED = "ask_refused"
    ASK_FAILED = "ask_failed"
    ASK_TIMED_OUT = "ask_timed_out"
    ASK_LOST = "ask_lost"
    NO_REPLY = "no_reply"
    BACKEND_UNAVAILABLE = "backend_unavailable"
    BACKEND_REDACTED = "backend_redacted"
    BACKEND_REFUSED = "backend_refused"
    CREDENTIALS_SUSPECTED = "credentials_suspected"
    CREDENTIALS_REJECTED = "credentials_rejected"
    CONTEXT_MISSING = "context_missing"
    CONTEXT_MALFORMED = "context_malformed"
    MISSING_SESSION_KEY = "missing_session_key"
    JOURNAL_UNREADABLE = "journal_unreadable"
    DRAINING = "draining"
    QUARANTINE = "quarantine"
    POISON = "poison"
    DEFECT = "defect"
    LAST_WORDS = "last_words"


ASKS_FOR_A_REPLY: Final = 3
"""How often an agent is asked in all when a reply is required and none comes."""

LOOKS_FOR_A_ROW: Final = 3
"""How often a context that should be there is looked for before we give up."""

_CAUSES: Final[dict[type, Cause]] = {
    errors.GatewayUnavailable: Cause.GATEWAY_UNAVAILABLE,
    errors.GatewayMisconfigured: Cause.GATEWAY_MISCONFIGURED,
    errors.AgentUnavailable: Cause.AGENT_UNAVAILABLE,
    errors.AskRefused: Cause.ASK_REFUSED,
    errors.AskFailed: Cause.ASK_FAILED,
    errors.AskTimedOut: Cause.ASK_TIMED_OUT,
    errors.AskLost: Cause.ASK_LOST,
    errors.AskCancelled: Cause.DRAINING,
    errors.BackendUnavailable: Cause.BACKEND_UNAVAILABLE,
    errors.BackendUncertain: Cause.BACKEND_UNAVAILABLE,
    errors.BackendGarbled: Cause.BACKEND_UNAVAILABLE,
    errors.ContextMalformed: Cause.CONTEXT_MALFORMED,
    errors.BackendMisused: Cause.BACKEND_UNAVAILABLE,
    errors.DeploymentOff: Cause.CREDENTIALS_REJECTED,
    errors.CredentialsSuspected: Cause.CREDENTIALS_SUSPECTED,
    errors.CredentialsRejected: Cause.CREDENTIALS_REJECTED,
    errors.BackendRedacted: Cause.BACKEND_REDACTED,
    errors.BackendRefused: Cause.BACKEND_REFUSED,
    errors.JournalUnreadable: Cause.JOURNAL_UNREADABLE,
}
"""By the nearest class in the tree of errors."""

QUARANTINE_FROM: Final = 2
"""A delivery whose workers died so often runs alone, in a process of its own."""

STRIKES_AT_MOST: Final = 10
"""Whoever lost so many workers is dead, whether or not it was seen to be the cause."""

PLACE_AGAIN: Final = timedelta(seconds=2)
"""So long a suspect waits for a place in quarantine, in its mailbox and without a slot."""

FUSE_WINDOW: Final = timedelta(minutes=1)
FUSE_DEATHS: Final = 2
"""So many mailboxes may die of one cause of the gateway within the window; the next one waits."""

GATEWAY_BLAME: Final = Blame(
    party=Blamed.GATEWAY, first=timedelta(seconds=1), longest=timedelta(seconds=30)
)
PROBE_AGAIN: Final = timedelta(seconds=2)
"""So long after a probe that found the gateway away it is probed again; a look costs nearly nothing."""

PROBE_TAKES: Final = timedelta(seconds=6)
"""Whoever probes and tells nothing for so long has died, and another one may."""

TRIAL_TAKEN: Final = timedelta(seconds=10)
"""A trial ask that runs for so long was taken by the gateway, whenever its answer comes."""

AGENT_BLAME: Final = Blame(
    party=Blamed.AGENT, first=timedelta(minutes=1), longest=timedelta(minutes=30)
)
_BACKEND_BLAME: Final = Blame(
    party=Blamed.BACKEND, first=timedelta(minutes=1), longest=timedelta(minutes=1)
)
_FUSED: Final = frozenset({
    Cause.ASK_REFUSED,
    Cause.ASK_FAILED,
    Cause.ASK_TIMED_OUT,
    Cause.ASK_LOST,
    Cause.AGENT_UNAVAILABLE,
})  # fmt: skip
_SIGNS: Final = {
    Cause.AGENT_UNAVAILABLE: Sign.ANSWERS,
    Cause.ASK_REFUSED: Sign.ANSWERS,
    Cause.ASK_FAILED: Sign.ANSWERS,
    Cause.ASK_TIMED_OUT: Sign.UNCLEAR,
    Cause.ASK_LOST: Sign.UNCLEAR,
}
AFTER_A_BREAK: Final = timedelta(seconds=10)
_WORLD_FIRST: Final = timedelta(seconds=2)
_WORLD_LONGEST: Final = timedelta(seconds=30)
_SUSPICION: Final = timedelta(seconds=20)
_PATIENCE_WITH_AN_AGENT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The operator's limits for trying again."""

    max_attempts: int
    backoff_base: timedelta
    backoff_max: timedelta


def cause_of(error: errors.DispatcherError) -> Cause:
    """Name the cause behind an error that ended an attempt."""
    for kind in type(error).__mro__:
        if kind in _CAUSES:
            return _CAUSES[kind]
    return Cause.DEFECT


def decide(error: errors.DispatcherError, claim: Claim, bounds: Bounds) -> Outcome:
    """Turn an error into what becomes of the delivery.

    Args:
        error: What ended the attempt.
        claim: Its counters tell how often we tried.
        bounds: The operator's limits.

    Returns:
        ``Resting`` or ``Dead``; never ``Settled``.
    """
    cause = cause_of(error)
    wish = getattr(error, "retry_after", None) or timedelta(0)
    if cause is Cause.BACKEND_UNAVAILABLE or getattr(error, "is_newer", False):
        return _wait(cause, world_delay(claim.waits))
    match cause:
        case Cause.GATEWAY_UNAVAILABLE | Cause.GATEWAY_MISCONFIGURED:
            return _blaming(cause, replace(GATEWAY_BLAME, wish=wish))
        case Cause.CREDENTIALS_SUSPECTED:
            return _wait(cause, _SUSPICION)
        case Cause.CREDENTIALS_REJECTED:
            return _blaming(cause, _BACKEND_BLAME)
        case Cause.AGENT_UNAVAILABLE:
            return _agent_rest(error, claim, bounds)
        case Cause.DRAINING:
            return Resting(delay=timedelta(0), cause=cause, spends=Spent.NOTHING)
        case Cause.ASK_REFUSED | Cause.BACKEND_REFUSED:
            return Dead(cause=cause, sign=sign_of(cause))
        case _:
            return attempt_spent(cause, claim, bounds)


def sign_of(cause: Cause) -> Sign:
    """Say what a failure tells of the gateway."""
    return _SIGNS.get(cause, Sign.NONE)


def is_fused(cause: str) -> bool:
    """Say whether many deaths of this cause are the gateway's fault rather than the deliveries'."""
    return cause in _FUSED


def attempt_spent(cause: Cause, claim: Claim, bounds: Bounds) -> Outcome:
    """Spend an attempt: rest with exponential back-off and full jitter, or die of the last one."""
    sign = sign_of(cause)
    if claim.attempt_no >= bounds.max_attempts:
        return Dead(cause=cause, sign=sign)
    delay = backoff(claim.attempt_no, bounds)
    if cause is Cause.ASK_LOST:
        # A gateway that crashed runs the interrupted turn again by itself soon after its start.
        delay = max(delay, AFTER_A_BREAK)
    return Resting(delay=delay, cause=cause, spends=Spent.ATTEMPT, sign=sign)


def backoff(attempt_no: int, bounds: Bounds) -> timedelta:
    """Draw a delay between the base and an exponentially growing, bounded limit."""
    base, limit = bounds.backoff_base, bounds.backoff_max
    ceiling = min(limit, base * (1 << min(attempt_no, 20)))
    return base + (ceiling - base) * random.random()  # noqa: S311 - jitter, not a secret


def world_delay(waits: int) -> timedelta:
    """Give the rest before looking again whether the world outside has recovered."""
    ceiling = min(_WORLD_LONGEST, _WORLD_FIRST * (1 << min(waits, 10)))
    return ceiling * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret


def _wait(cause: Cause, delay: timedelta) -> Resting:
    return Resting(delay=delay, cause=cause, spends=Spent.WAIT)


def _blaming(cause: Cause, blame: Blame) -> Resting:
    """Wait in line, without a rest of one's own, until the blamed party is well."""
    return Resting(
        delay=timedelta(0), cause=cause, spends=Spent.WAIT, blame=blame, sign=sign_of(cause)
    )


def _agent_rest(error: errors.DispatcherError, claim: Claim, bounds: Bounds) -> Outcome:
    wish = getattr(error, "rest", None) or timedelta(0)
    blame = replace(AGENT_BLAME, wish=wish)
    if getattr(error, "is_throttled", False):
        blame = replace(blame, first=bounds.backoff_base, longest=bounds.backoff_max)
    if claim.claimed_at - claim.put_at < _PATIENCE_WITH_AN_AGENT:
        return _blaming(Cause.AGENT_UNAVAILABLE, blame)
    outcome = attempt_spent(Cause.AGENT_UNAVAILABLE, claim, bounds)
    return replace(outcome, blame=blame) if isinstance(outcome, Resting) else outcome
