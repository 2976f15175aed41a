"""Calls that the backend refuses: credentials, its rules, and refusals that hide their reason."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.domain import errors
from dispatcher.domain.ids import NotificationId
from dispatcher.sandbox.backend.server import SandboxBackend
from dispatcher.sandbox.backend.wire import Style
from tests.adapters.convex_office import NOWHERE, SOME_AGENT, SOME_TASK, Adapt, Office, success
from tests.adapters.raw_server import answer

# Refusals that say why


@pytest.mark.parametrize(
    "break_credentials",
    [
        lambda office: office.world.rotate_token(office.account),
        lambda office: office.world.remove_token(office.account),
    ],
    ids=["rotated", "removed"],
)
def test_readable_credential_errors_mean_stop(
    office: Office, break_credentials: Callable[[Office], object]
) -> None:
    """Every further call would fail in the same way."""
    break_credentials(office)

    with pytest.raises(errors.CredentialsRejected):
        office.convex.list_undelivered(limit=50)
    with pytest.raises(errors.CredentialsRejected):
        office.convex.probe()


def test_a_token_of_another_account_is_rejected(office: Office, adapt: Adapt) -> None:
    """The argument and the token must name the same account."""
    other = office.world.create_account("Other")
    mixed = adapt(office.backend.url, str(other["accountId"]), office.token)

    with pytest.raises(errors.CredentialsRejected):
        mixed.probe()


def test_an_account_of_another_deployment_is_rejected(
    office: Office, backend: SandboxBackend, closer: ThreadPoolExecutor, adapt: Adapt
) -> None:
    """The commonest mistake of an operator: a token of the other deployment."""
    elsewhere = SandboxBackend().start()
    try:
        with pytest.raises(errors.CredentialsRejected):
            adapt(elsewhere.url, office.account, office.token).probe()
    finally:
        closer.submit(elsewhere.stop)


@pytest.mark.parametrize("mark", ["mark_begun", "mark_ended", "mark_delivered"])
def test_a_row_that_was_deleted_is_gone(office: Office, mark: str) -> None:
    """There is nothing left to do for it; the caller treats it as marked."""
    notification = office.say()
    office.world.delete_task(office.account, office.task)

    with pytest.raises(errors.RowGone):
        getattr(office.convex, mark)(notification)


def test_a_rule_of_the_backend_is_a_refusal(office: Office) -> None:
    """It will be refused tomorrow as well."""
    office.world.set_flags(office.account, office.engineer, {"canModifyTaskStatus": False})
    office.world.assign(office.account, office.task, agents=[office.engineer])

    with pytest.raises(errors.BackendRefused) as raised:
        office.convex.start_work(agent=office.engineer, task=office.task)

    assert type(raised.value) is errors.BackendRefused
    assert "not allowed to modify task status" in str(raised.value)


def test_an_argument_error_is_a_refusal(office: Office) -> None:
    """A malformed id will never become a good one."""
    with pytest.raises(errors.BackendRefused):
        office.convex.mark_begun(NotificationId("not-an-id"))


@pytest.mark.parametrize(
    "text",
    [
        "Could not find public function for 'service/actions:getOrchestratorAgentId'.",
        "Trying to execute messages.js:create as Action, but it is defined as Mutation.",
    ],
)
def test_an_unknown_function_means_a_wrong_backend(
    answered: Callable[..., ConvexBackend], text: str
) -> None:
    """The operator has to look: this backend is of another version."""
    message = f"[Request ID: 3f1c9a7be2d04f58] Server Error\n{text}\n"
    backend = answered(answer(200, {"status": "error", "errorMessage": message}))

    with pytest.raises(errors.BackendMisused):
        backend.probe()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BadJsonBody"), (400, "BadFormat"), (401, "InvalidAuthHeader"), (403, "Forbidden"),
        (404, ""), (404, "FunctionPathNotFound"), (405, ""),
    ],
)  # fmt: skip
def test_a_4xx_is_our_mistake_and_permanent(
    answered: Callable[..., ConvexBackend], status: int, code: str
) -> None:
    """Repeating it would only make noise; the code helps the operator."""
    body: Any = {"code": code, "message": "No."} if code else b""

    with pytest.raises(errors.BackendMisused, match=f"HTTP {status} ?{code}"):
        answered(answer(status, body)).probe()


def test_a_refused_text_that_quotes_an_error_is_only_a_refusal(
    answered: Callable[..., ConvexBackend],
) -> None:
    """An argument error prints the arguments: an agent's words must not stop the account."""
    said = "The log says: Invalid service token. Cannot run functions while paused."
    text = (
        "[Request ID: 1] Server Error\nArgumentValidationError: Object contains extra field `x` "
        f'that is not in the validator.\nObject: {{content: "{said}"}}\n'
    )
    backend = answered(answer(200, {"status": "error", "errorMessage": text}))

    with pytest.raises(errors.BackendError) as raised:
        backend.post_message(agent=SOME_AGENT, task=SOME_TASK, content=said, key=NOWHERE)

    assert type(raised.value) is errors.BackendRefused


# Production, where every refusal looks the same


def test_a_redacted_refusal_with_good_credentials_is_redacted(office: Office) -> None:
    """The probe succeeds, so the credentials are fine: repeat a bounded number of times."""
    office.backend.style = Style(redacted=True)

    with pytest.raises(errors.BackendRedacted):
        office.convex.mark_delivered(NOWHERE)

    assert office.world.ledger(office.account)["calls"]["getOrchestratorAgentId"] == 1


def test_a_redacted_refusal_of_call_and_probe_makes_credentials_suspect(office: Office) -> None:
    """Only the probe can tell; both were refused."""
    office.backend.style = Style(redacted=True)
    office.world.rotate_token(office.account)

    with pytest.raises(errors.CredentialsSuspected):
        office.convex.list_undelivered(limit=50)


def test_a_redacted_probe_is_not_probed_again(office: Office) -> None:
    """Asking the same thing a second time at once tells nothing new."""
    office.backend.style = Style(redacted=True)
    office.world.rotate_token(office.account)

    with pytest.raises((errors.BackendRedacted, errors.CredentialsSuspected)):
        office.convex.probe()

    assert office.world.ledger(office.account)["calls"]["getOrchestratorAgentId"] == 1


@pytest.mark.parametrize("kind", ["drop_before", "503_queue", "502_html"])
def test_a_probe_that_fails_otherwise_proves_nothing(office: Office, kind: str) -> None:
    """A lost line during the probe is no reason to suspect the credentials."""
    office.backend.style = Style(redacted=True)
    office.backend.faults.add("getOrchestratorAgentId", kind=kind)

    with pytest.raises(errors.BackendRedacted):
        office.convex.mark_delivered(NOWHERE)


def test_560_is_read_like_200(office: Office) -> None:
    """The status word in the body decides, never the HTTP code alone."""
    office.backend.style = Style(as_560=True)

    with pytest.raises(errors.RowGone):
        office.convex.mark_delivered(NOWHERE)


def test_560_with_success_is_a_success(answered: Callable[..., ConvexBackend]) -> None:
    """Both codes carry the same body."""
    body = {"status": "success", "value": {"orchestratorAgentId": SOME_AGENT}}

    assert answered(answer(560, body)).probe() == SOME_AGENT


@pytest.mark.parametrize("message", [None, 5, "", ["x"]])
def test_an_error_without_a_text_counts_as_redacted(
    answered: Callable[..., ConvexBackend], message: object
) -> None:
    """It hides why, so the probe has to tell."""
    refusal = answer(200, {"status": "error", "errorMessage": message})
    good = success({"orchestratorAgentId": None})

    with pytest.raises(errors.BackendRedacted):
        answered(refusal, good).mark_begun(NOWHERE)
