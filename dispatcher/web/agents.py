"""What agents may do over HTTP: ``POST /agent/*``, the same as their tools and by the same rules."""

import ipaddress
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from dispatcher.adapters.turn_tokens import Pass, TokenRefused
from dispatcher.domain import errors
from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.tools import CallRefused, Fault, Tool, check_arguments
from dispatcher.flows.acts import find_tool, is_repeatable, perform, words_of
from dispatcher.flows.acts.errand import Errand
from dispatcher.flows.acts.unknown import unknown_outcome
from dispatcher.ports import Actions, Clock, Directory, Tally
from dispatcher.web.limits import Budget

HEADER: Final = "x-openclaw-session-key"
BODY_LIMIT: Final = 2 * 1024 * 1024
AT_ONCE: Final = 6
_STATUS: Final = {Fault.MISSING: 400, Fault.INVALID: 422, Fault.FORBIDDEN: 403}
_BY_WORD: Final = {"not found": 404, "forbidden": 403, "unauthorized": 401}
_LOCAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128",
        # Container networks use these when they have IPv6.
        "fc00::/7",
    )
)  # fmt: skip

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSide:
    """What serving agents needs.

    Attributes:
        read_pass: Recognises an agent by its header; raises ``TokenRefused`` or a store error.
        budget: Calls that a session may make.
        places: So many calls are carried out at once.
    """

    read_pass: Callable[[str], Pass]
    actions: Actions
    directory: Directory
    tally: Tally
    clock: Clock
    budget: Budget
    places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))


class _Refused(Exception):
    def __init__(
        self,
        status: int,
        text: str,
        *,
        retry_after: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.more = more or {}
        self.retry_after = retry_after


def add_agent_endpoints(app: Flask, side: AgentSide) -> None:
    """Add one endpoint for each tool."""
    agents = Blueprint("agents", __name__, url_prefix="/agent")
    for tool in EVERY_TOOL.values():
        agents.add_url_rule(
            f"/{tool.path}",
            endpoint=tool.name,
            view_func=_view(side, tool.name),
            methods=["POST"],
            provide_automatic_options=False,
        )
    app.register_blueprint(agents)


def is_local(address: str | None) -> bool:
    """Say whether a peer is on this machine or in a private network; not being one proves nothing.

    Args:
        address: Of the socket's peer; headers of proxies are never believed.
    """
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in _LOCAL)


def _view(side: AgentSide, name: str) -> Callable[[], tuple[Response, int]]:
    def serve() -> tuple[Response, int]:
        began = side.clock.monotonic()
        try:
            content, status = _answer(side, name), 200
        except _Refused as refused:
            status = refused.status
            content = {"success": False, "error": str(refused), **refused.more}
            answer = jsonify(content)
            if refused.retry_after is not None:
                answer.headers["Retry-After"] = str(refused.retry_after)
        else:
            took_ms = round((side.clock.monotonic() - began) * 1000)
            answer = jsonify({**content, "durationMs": took_ms})
        took = timedelta(seconds=side.clock.monotonic() - began)
        side.tally.served_agent(tool=name, status=status, took=took)
        return answer, status

    return serve


def _answer(side: AgentSide, name: str) -> dict[str, Any]:
    found = _recognised(side)
    wait_s = side.budget.take(found.session)
    if wait_s is not None:
        raise _Refused(429, "Too many calls of this session", retry_after=wait_s)
    try:
        tool = find_tool(name, found.rights)
        errand = Errand(
            arguments=check_arguments(_body(), tool),
            rights=found.rights,
            actions=side.actions,
            directory=side.directory,
        )
        with _place(side):
            content = _performed(tool, errand)
    except CallRefused as refused:
        raise _Refused(_STATUS[refused.fault], refused.at_endpoint) from refused
    except errors.DispatcherError as error:
        raise _Refused(_status_of(error), words_of(error)) from error
    _log.info(
        "an agent used %s over HTTP", name, extra={"action": "agent", "agent": found.rights.agent}
    )
    return content


def _performed(tool: Tool, errand: Errand) -> dict[str, Any]:
    try:
        return dict(perform(tool, errand))
    except (errors.BackendUncertain, errors.BackendGarbled) as error:
        if is_repeatable(tool, errand.arguments):
            raise
        told = unknown_outcome(tool.name, errand)
        # Not a 5xx: HTTP clients repeat those by themselves.
        raise _Refused(409, str(told["error"]), more=told) from error


@contextmanager
def _place(side: AgentSide) -> Iterator[None]:
    """Keep slow calls of agents from taking all threads: health is served by the same ones."""
    if not side.places.acquire(blocking=False):
        raise _Refused(503, "Too many calls at once; try again in a moment", retry_after=1)
    try:
        yield
    finally:
        side.places.release()


def _recognised(side: AgentSide) -> Pass:
    if not is_local(request.remote_addr):
        raise _Refused(403, "Forbidden: endpoint is local-only")
    given = (request.headers.get(HEADER) or "").partition(",")[0].strip()
    if not given:
        raise _Refused(401, f"Missing {HEADER} header")
    try:
        return side.read_pass(given)
    except TokenRefused as refused:
        raise _Refused(401, str(refused)) from refused
    except errors.StoreError as error:
        raise _Refused(503, "The session cannot be looked up now; try again") from error


def _body() -> dict[str, Any]:
    request.max_content_length = BODY_LIMIT
    try:
        found = json.loads(request.get_data(cache=False))
    except RequestEntityTooLarge as error:
        raise _Refused(413, f"The body is larger than {BODY_LIMIT} bytes") from error
    except (ValueError, RecursionError) as error:
        raise _Refused(400, "Invalid JSON body") from error
    if not isinstance(found, dict):
        raise _Refused(400, "Invalid JSON body")
    return found


def _status_of(error: errors.DispatcherError) -> int:
    """Choose the status for a call that the backend did not carry out."""
    if isinstance(error, errors.RowGone):
        return 404
    if isinstance(error, errors.BackendRefused):
        # Only the first word counts: the rest may quote what the agent wrote.
        found = re.match(r"(not found|forbidden|unauthorized)\b", words_of(error).lower())
        return _BY_WORD[found[0]] if found else 422
    away = (
        errors.BackendUnavailable, errors.BackendUncertain, errors.CredentialsRejected,
        errors.CredentialsSuspected, errors.DeploymentOff,
    )  # fmt: skip
    return 503 if isinstance(error, away) else 502
