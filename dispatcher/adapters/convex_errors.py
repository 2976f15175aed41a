"""What the backend's refusals mean: from its texts and codes to our tree of errors."""

import json
import re
from typing import Any, Final

from dispatcher.domain import errors
from dispatcher.domain.redact import short_error

_REDACTED: Final = re.compile(r"\[Request ID: [^\]]+\] Server Error\s*")
_CREDENTIALS: Final = (
    "Invalid service token",
    "Account has no service token configured",
    "Service token does not match account",
    "Account does not exist",
)
_OFF: Final = ("Cannot run functions while", "have been disabled", "has been disabled because")
_GONE: Final = (
    "Not found: Notification does not exist",
    "Not found: Task does not exist",
    "Not found: Agent does not exist",
)
_NOT_COMMITTED: Final = (
    "changed while this mutation was being run",
    "Too many concurrent requests",
    "Too many concurrent commits",
    "There are no available workers",
    "Too many writes per second",
)
_INTERNAL: Final = "Your request couldn't be completed"
_NOT_EXECUTED_503: Final = frozenset({
    "ExpiredInQueue",
    "WorkerOverloaded",
    "InitialPermitTimeoutError",
    "ExecuteFullError",
    "IsolateNotClean",
})  # fmt: skip


WORDS: Final = {
    errors.BackendUnavailable: "unavailable",
    errors.BackendUncertain: "uncertain",
    errors.BackendMisused: "misused",
    errors.BackendRefused: "refused",
    errors.RowGone: "gone",
    errors.BackendRedacted: "redacted",
    errors.BackendGarbled: "garbled",
    errors.ContextMalformed: "garbled",
    errors.CredentialsSuspected: "rejected",
    errors.CredentialsRejected: "rejected",
    errors.DeploymentOff: "rejected",
}
"""How a call failed, as a label of its metric."""


def parsed(action: str, content: bytes) -> dict[str, Any]:
    """Read an answer of the backend.

    Raises:
        BackendGarbled: It is not of the agreed form.
    """
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise errors.BackendGarbled(f"{action}: the answer is not JSON") from error
    if not isinstance(answer, dict) or answer.get("status") not in ("success", "error"):
        raise errors.BackendGarbled(f"{action}: the answer has no status")
    return answer


def function_error(action: str, message: object) -> errors.BackendError:
    """Classify what a function threw; HTTP says 200 to all of these."""
    text = message if isinstance(message, str) else ""
    if not text or _REDACTED.fullmatch(text):
        return errors.BackendRedacted(f"{action}: refused without a reason")
    if "ArgumentValidationError" in text:
        # It quotes the arguments, an agent's words among them: they must not choose the family.
        return errors.BackendRefused(f"{action}: {short_error(text)}")
    families: tuple[tuple[tuple[str, ...], type[errors.BackendError]], ...] = (
        (_CREDENTIALS, errors.CredentialsRejected),
        (_OFF, errors.DeploymentOff),
        (_GONE, errors.RowGone),
        (_NOT_COMMITTED, errors.BackendUnavailable),
        ((_INTERNAL,), errors.BackendUncertain),
        (("Could not find public function", "Trying to execute"), errors.BackendMisused),
    )
    for texts, kind in families:
        if any(part in text for part in texts):
            return kind(f"{action}: {short_error(text)}")
    return errors.BackendRefused(f"{action}: {short_error(text)}")


def http_error(action: str, status: int, content: bytes) -> errors.BackendError:
    """Classify an answer from outside the function; its body may be anything."""
    code = _code_of(content)
    text = f"{action}: HTTP {status}" + (f" {code}" if code else "")
    if status in {421, 425, 429} or (status == 503 and code in _NOT_EXECUTED_503):
        return errors.BackendUnavailable(text)
    if status == 408 or status >= 500:
        return errors.BackendUncertain(text)
    return errors.BackendMisused(text)


def _code_of(content: bytes) -> str | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"\w{1,64}", code) else None
