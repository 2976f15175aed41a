"""The backend over HTTP; also turns an error inside a 200 into an error of ours."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import httpx
from pydantic import SecretStr

from dispatcher.adapters.convex_errors import WORDS, function_error, http_error, parsed
from dispatcher.adapters.http import (
    Exchange,
    ExchangeClosed,
    Request,
    ThreadClients,
    Watchdog,
    send,
)
from dispatcher.adapters.http_connection import BodyTooLarge
from dispatcher.adapters.wire import read_member, read_page, read_upgrade
from dispatcher.adapters.wire_context import read_context, read_members
from dispatcher.adapters.wire_profiles import read_profiles
from dispatcher.domain import errors
from dispatcher.domain.ids import AccountId, AgentId, MessageId, NotificationId, TaskId
from dispatcher.domain.notification import Context, Page
from dispatcher.domain.profile import Profile
from dispatcher.domain.roster import Member
from dispatcher.domain.text import as_posted
from dispatcher.domain.upgrade import Upgrade, Versions
from dispatcher.ports import Clock

_as_json: Final = json.JSONEncoder(ensure_ascii=False).encode
READ_LIMIT: Final = timedelta(seconds=30)


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
            result = WORDS[type(error)]
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
        status, content = self._send(action, _as_json(body).encode())
        if status not in {200, 560}:
            raise http_error(action, status, content)
        answer = parsed(action, content)
        if answer.get("status") == "success":
            return answer.get("value")
        raise function_error(action, answer.get("errorMessage"))

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
        request = Request(method="POST", path="/api/action", content=body)
        with self._watchdog.watching(exchange, self._limit):
            status, _, content = send(mine, exchange, request)
        return status, content
