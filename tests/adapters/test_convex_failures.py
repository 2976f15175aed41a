"""Calls to the backend that fail: each failure is named by what is known of its effect."""

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.domain import errors
from tests.adapters.convex_office import Adapt, Office
from tests.adapters.raw_server import Line, Play, RawServer, Request, answer

# Faults of the sandbox and of the line


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("421", errors.BackendUnavailable),
        ("425", errors.BackendUnavailable),
        ("429", errors.BackendUnavailable),
        ("503_queue", errors.BackendUnavailable),
        ("503_overload", errors.BackendUncertain),
        ("500", errors.BackendUncertain),
        ("408", errors.BackendUncertain),
        ("502_html", errors.BackendUncertain),
        ("drop_before", errors.BackendUncertain),
        ("drop_after_commit", errors.BackendUncertain),
        ("500_after_commit", errors.BackendUncertain),
        ("write_conflict", errors.BackendUnavailable),
        ("too_many", errors.BackendUnavailable),
        ("internal", errors.BackendUncertain),
        ("paused", errors.DeploymentOff),
        ("redacted", errors.BackendRedacted),
    ],
)
def test_a_fault_is_named_by_what_is_known_of_its_effect(
    office: Office, kind: str, expected: type[errors.BackendError]
) -> None:
    """Whether a call may be repeated hangs on this table alone."""
    notification = office.say()
    office.backend.faults.add("markNotificationRead", kind=kind)

    with pytest.raises(errors.BackendError) as raised:
        office.convex.mark_begun(notification)

    assert type(raised.value) is expected
    assert office.token not in str(raised.value)
    assert ("readAt" in office.row(notification)) is kind.endswith("after_commit")


@pytest.mark.parametrize("kind", ["429", "500", "408", "drop_before", "drop_after_commit"])
def test_a_failed_call_is_not_repeated_by_the_adapter(office: Office, kind: str) -> None:
    """One place decides on trying again, and it is not this one."""
    notification = office.say()
    office.backend.faults.add("markNotificationRead", kind=kind)

    with pytest.raises(errors.BackendError):
        office.convex.mark_begun(notification)

    calls = office.world.ledger(office.account)["calls"]
    assert calls["markNotificationRead"] == 1


def test_the_adapter_goes_on_after_a_broken_connection(office: Office) -> None:
    """A cut line must not spoil the next call of the same thread."""
    office.backend.faults.add("getOrchestratorAgentId", kind="drop_before")

    with pytest.raises(errors.BackendUncertain):
        office.convex.probe()

    assert office.convex.probe() == office.lead


def test_a_post_whose_answer_was_lost_is_safe_to_repeat(office: Office) -> None:
    """The commonest way to a double message: said, not heard, said again."""
    notification = office.say()
    office.backend.faults.add("createMessageFromAgent", kind="drop_after_commit")

    with pytest.raises(errors.BackendUncertain):
        office.reply("The build is green.", notification)
    office.reply("The build is green.", notification)

    assert office.contents().count("The build is green.") == 1


def test_no_answer_within_the_read_limit_is_uncertain(office: Office, adapt: Adapt) -> None:
    """The action may still commit after we have gone."""
    hasty = adapt(
        office.backend.url, office.account, office.token, read=timedelta(milliseconds=100)
    )
    office.backend.faults.add("getOrchestratorAgentId", kind="delay", delay_s=1.0)

    with pytest.raises(errors.BackendUncertain):
        hasty.probe()


def test_a_refused_connection_is_unavailable(adapt: Adapt) -> None:
    """Nothing was sent, so any call may be repeated later."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(errors.BackendUnavailable):
            adapt(url).probe()


# Answers of an edge, and answers that never end


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ExpiredInQueue", errors.BackendUnavailable),
        ("WorkerOverloaded", errors.BackendUnavailable),
        ("InitialPermitTimeoutError", errors.BackendUnavailable),
        ("ExecuteFullError", errors.BackendUnavailable),
        ("IsolateNotClean", errors.BackendUnavailable),
        ("OptimisticConcurrencyControlFailure", errors.BackendUncertain),
        ("", errors.BackendUncertain),
    ],
)
def test_only_named_503s_are_known_not_to_have_run(
    answered: Callable[..., ConvexBackend], code: str, expected: type[errors.BackendError]
) -> None:
    """A 503 without a known code may have committed."""
    body: Any = {"code": code, "message": "Busy."} if code else b""

    with pytest.raises(errors.BackendError) as raised:
        answered(answer(503, body)).probe()

    assert type(raised.value) is expected


@pytest.mark.parametrize("status", [500, 502, 504, 520, 524])
def test_a_5xx_of_an_edge_is_uncertain(answered: Callable[..., ConvexBackend], status: int) -> None:
    """What stood behind the edge may have run."""
    with pytest.raises(errors.BackendUncertain):
        answered(answer(status, "<html>oops</html>")).probe()


def test_an_answer_that_breaks_off_is_uncertain(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """The call ran, at least in part."""

    def cut(_request: Request, line: Line) -> bool:
        line.send(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status": "succ')
        return False

    with pytest.raises(errors.BackendUncertain):
        adapt(raw(cut).url).probe()


def test_what_is_not_http_is_uncertain(answered: Callable[..., ConvexBackend]) -> None:
    """Another service may listen on the port."""
    with pytest.raises(errors.BackendUncertain):
        answered(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").probe()


def test_an_answer_that_drips_ends_at_the_limit_of_the_whole_call(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """Byte by byte it satisfies every limit for a single read."""

    def drip(_request: Request, line: Line) -> bool:
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        line.drip(b"{" * 100_000, every_s=0.02, limit_s=5)
        return False

    convex = adapt(raw(drip).url, read=timedelta(seconds=0.3))
    began = time.monotonic()

    with pytest.raises(errors.BackendUncertain):
        convex.probe()

    assert time.monotonic() - began < 3
