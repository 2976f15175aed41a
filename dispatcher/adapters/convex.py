"""The backend over HTTP; also turns an error inside a 200 into an error of ours."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import httpx
from pydantic import SecretStr

from dispatcher.adapters.http import (
    BodyTooLarge,
    Exchange,
    ExchangeClosed,
    ThreadClients,
    Watchdog,
    send,
)
from dispatcher.adapters.wire import read_member, read_page, read_upgrade
from dispatcher.adapters.wire_context import read_context, read_members
from dispatcher.adapters.wire_profiles import read_profiles
from dispatcher.domain import errors
from dispatcher.domain.ids import AccountId, AgentId, MessageId, NotificationId, TaskId
from dispatcher.domain.notification import Context, Page
from dispatcher.domain.profile import Profile
from dispatcher.domain.redact import short_error
from dispatcher.domain.roster import Member
from dispatcher.domain.text import as_posted
from dispatcher.domain.upgrade import Upgrade, Versions
from dispatcher.ports import Clock

READ_LIMIT: Final = timedelta(seconds=30)

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


_WORDS: Final = {
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


class ConvexBackend:
    """See ``dispatcher.ports.Backend``; beside it the life-cycle actions of the runtime."""

    def __init__(
        self,
        *,
        url: str,
        account: AccountId,
        token: SecretStr,
        clock: Clock,
        read: timedelta = READ_LIMIT,
        observe: Callable[[str, str, float], None] = lambda _action, _result, _took_s: None,
    ) -> None:
        # No Authorization header: it belongs to end users, and the backend refuses ours there.
        headers = {"Content-Type": "application/json"}
        self._clients = ThreadClients(base_url=url, headers=headers, read=read)
        # A proxy that drips byte by byte must not hold a thread: the whole exchange has a limit.
        self._watchdog = Watchdog(clock)
        self._limit = 2 * read
        self._account = account
        self._token = token
        self._clock = clock
        self._observe = observe

    def close(self) -> None:
        """Close all connections."""
        self._clients.close()

    def list_undelivered(self, *, limit: int) -> Page:
        """See ``Backend.list_undelivered``."""
        return read_page(self.call("listUndeliveredNotifications", limit=limit))

    def fetch_context(self, notification: NotificationId) -> Context | None:
        """See ``Backend.fetch_context``."""
        return read_context(self.call("getNotificationForDelivery", notificationId=notification))

    def mark_begun(self, notification: NotificationId) -> None:
        """See ``Backend.mark_begun``."""
        self.call("markNotificationRead", notificationId=notification)

    def mark_ended(self, notification: NotificationId) -> None:
        """See ``Backend.mark_ended``."""
        self.call("markNotificationDeliveryEnded", notificationId=notification)

    def mark_delivered(self, notification: NotificationId) -> None:
        """See ``Backend.mark_delivered``."""
        self.call("markNotificationDelivered", notificationId=notification)

    def post_message(
        self,
        *,
        agent: AgentId,
        task: TaskId,
        content: str,
        key: NotificationId | None,
        wakes_agents: bool = True,
    ) -> MessageId:
        """See ``Backend.post_message``; a longer text is cut at the backend's limit, with a note."""
        arguments: dict[str, Any] = {
            "agentId": agent,
            "taskId": task,
            "content": as_posted(content),
        }
        if not wakes_agents:
            arguments["suppressAgentNotifications"] = True
        if key is not None:
            arguments["sourceNotificationId"] = key
        value = self.call("createMessageFromAgent", **arguments)
        return MessageId(read_member(value, "messageId"))

    def start_work(self, *, agent: AgentId, task: TaskId) -> None:
        """See ``Backend.start_work``."""
        self.call(
            "updateTaskStatusFromAgent",
            agentId=agent,
            taskId=task,
            status="in_progress",
            expectedStatus="assigned",
        )

    def probe(self) -> AgentId | None:
        """See ``Backend.probe``."""
        value = self.call("getOrchestratorAgentId")
        if not isinstance(value, dict):
            raise errors.BackendGarbled("the probe's answer is not an object")
        found = value.get("orchestratorAgentId")
        return AgentId(found) if isinstance(found, str) else None

    def members(self) -> tuple[Member, ...]:
        """See ``Crew.members``."""
        return read_members(self.call("listAgents"))

    def profiles(self) -> tuple[Profile, ...]:
        """See ``Profiles.profiles``."""
        return read_profiles(self.call("listAgentsForRuntime"))

    def report_status(self, status: str, config: dict[str, Any] | None = None) -> None:
        """Report how the runtime is; without a config the last one is kept.

        Args:
            status: ``online``, ``degraded``, ``offline`` or ``error``.
            config: Always the full set: the backend replaces it as a whole.
        """
        extra = {} if config is None else {"config": config}
        self.call("updateRuntimeStatus", status=status, **extra)

    def take_restart_request(self) -> bool:
        """See ``Wishes.take_restart_request``."""
        value = self.call("checkAndClearRestartRequested")
        return isinstance(value, dict) and value.get("restartRequested") is True

    def pending_upgrade(self) -> Upgrade | None:
        """See ``Wishes.pending_upgrade``."""
        return read_upgrade(self.call("getPendingUpgrade"))

    def upgrade_failed(self, *, running: Versions, target: Versions, error: str) -> None:
        """See ``Wishes.upgrade_failed``."""
        self.call(
            "recordUpgradeResult",
            status="failed",
            fromOpenclawVersion=running.openclaw,
            toOpenclawVersion=target.openclaw,
            fromRuntimeVersion=running.runtime,
            toRuntimeVersion=target.runtime,
            error=error,
        )

    def call(self, action: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        """Call a service action once and return its value.

        Raises:
            BackendError: By the tree of errors.
        """
        try:
            return self._exchange(action, arguments)
        except errors.BackendRedacted as error:
            if action == "getOrchestratorAgentId":
                raise
            # In production every refusal looks the same; the probe tells bad credentials apart.
            self._probe_after(error)
            raise

    def _probe_after(self, error: errors.BackendRedacted) -> None:
        try:
            self._exchange("getOrchestratorAgentId", {})
        except errors.BackendRedacted as also:
            raise errors.CredentialsSuspected(
                "the backend refuses this call and the credential check, and hides why"
            ) from also
        except errors.BackendError:
            raise error from None

    def _exchange(self, action: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        began, result = self._clock.monotonic(), "done"
        try:
            return self._one_exchange(action, arguments)
        except errors.BackendError as error:
            result = _WORDS[type(error)]
            raise
        finally:
            self._observe(action, result, self._clock.monotonic() - began)

    def _one_exchange(self, action: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        identity = {
            "accountId": self._account,
            "serviceToken": self._token.get_secret_value(),
        }
        body = {
            "path": f"service/actions:{action}",
            "format": "convex_encoded_json",
            "args": [identity | arguments],
        }
        status, content = self._send(action, json.dumps(body, ensure_ascii=False).encode())
        if status not in {200, 560}:
            raise _http_error(action, status, content)
        answer = _parsed(action, content)
        if answer.get("status") == "success":
            return answer.get("value")
        raise _function_error(action, answer.get("errorMessage"))

    def _send(self, action: str, body: bytes) -> tuple[int, bytes]:
        try:
            try:
                return self._send_once(body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # Nothing was sent, so one quick second try is safe for every action.
                return self._send_once(body)
        except (httpx.ConnectError, httpx.ConnectTimeout, ExchangeClosed) as error:
            raise errors.BackendUnavailable(f"{action}: cannot connect to the backend") from error
        except httpx.HTTPError as error:
            raise errors.BackendUncertain(f"{action}: {type(error).__name__}") from error
        except BodyTooLarge as error:
            raise errors.BackendGarbled(f"{action}: the answer is larger than 32 MiB") from error

    def _send_once(self, body: bytes) -> tuple[int, bytes]:
        mine = self._clients.mine()
        exchange = Exchange(mine)
        request = mine.client.build_request("POST", "/api/action", content=body)
        with self._watchdog.watching(exchange, self._limit):
            status, _, content = send(mine, exchange, request)
        return status, content


def _parsed(action: str, content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise errors.BackendGarbled(f"{action}: the answer is not JSON") from error
    if not isinstance(answer, dict) or answer.get("status") not in ("success", "error"):
        raise errors.BackendGarbled(f"{action}: the answer has no status")
    return answer


def _function_error(action: str, message: object) -> errors.BackendError:
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


def _http_error(action: str, status: int, content: bytes) -> errors.BackendError:
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
