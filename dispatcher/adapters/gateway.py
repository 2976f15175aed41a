"""The gateway over HTTP: one POST per ask, no retries of its own."""

import json
import re
import threading
from contextlib import nullcontext
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from pydantic import SecretStr

from dispatcher.adapters.answers import read_answer
from dispatcher.adapters.gateway_state import GatewayState, state_of
from dispatcher.adapters.http import (
    Ending,
    Exchange,
    ExchangeClosed,
    Request,
    ThreadClients,
    Watchdog,
    send,
)
from dispatcher.adapters.http_connection import BodyTooLarge
from dispatcher.domain import errors
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.reply import Reply
from dispatcher.domain.text import without_lone_surrogates
from dispatcher.domain.tools import Tool
from dispatcher.ports import Ask, Clock, Hold

_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.IGNORECASE | re.ASCII)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,512}")
_REQUEST_LIMIT: Final = 20 * 1024 * 1024
_as_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_LOOK: Final = timedelta(seconds=5)
_LOOK_BYTES: Final = 4 * 1024 * 1024
_LONGEST_WISH: Final = timedelta(minutes=10)
_VERSION_S: Final = 60.0


class OpenClawGateway:
    """See ``dispatcher.ports.Gateway``."""

    def __init__(
        self, *, url: str, token: SecretStr | None, timeout: timedelta, clock: Clock
    ) -> None:
        headers = {"Content-Type": "application/json"}
        if token is not None and token.get_secret_value():
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._is_enabled = bool(url)
        self._timeout = timeout
        # The watchdog ends the whole exchange; the client's own read limit only backs it up.
        self._clients = ThreadClients(
            base_url=url, headers=headers, read=timeout + timedelta(seconds=30)
        )
        self._watchdog = Watchdog(clock)
        self._clock = clock
        self._version_checked_at: float | None = None
        self._looking = threading.Lock()
        self._looks = 0
        self._refusal: str | None = None

    def close(self) -> None:
        """Close all connections."""
        self._clients.close()

    def ask(self, ask: Ask, *, hold: Hold) -> Reply:
        """See ``Gateway.ask``."""
        if not self._is_enabled:
            raise errors.GatewayMisconfigured("OPENCLAW_GATEWAY_URL is empty: sending is disabled")
        self._refuse_old_gateway(hold)
        request = _request_of(ask)
        mine = self._clients.mine()
        for is_last in (False, True):
            exchange = Exchange(mine)
            with (
                self._watchdog.watching(exchange, self._timeout),
                hold.on_loss(lambda: exchange.close(Ending.CANCELLED)),  # noqa: B023 - this round's
            ):
                try:
                    status, answer_headers, content = send(mine, exchange, request)
                except BodyTooLarge as error:
                    raise errors.AskFailed("the gateway's answer is larger than 32 MiB") from error
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    if is_last or exchange.ending is not None:
                        raise _lost(exchange, error) from error
                except (httpx.HTTPError, ExchangeClosed) as error:
                    raise _lost(exchange, error) from error
                else:
                    return read_answer(status, content, retry_after=_wish(answer_headers))
        raise AssertionError("the second try returns or raises")

    def look(self) -> GatewayState:
        """Ask the gateway whether it is ready, and for its version.

        Never raises: whatever is wrong stands in the result.
        """
        return self._look(None)

    def _look(self, hold: Hold | None) -> GatewayState:
        if not self._is_enabled:
            return GatewayState(
                is_ready=False, version=None, problem="OPENCLAW_GATEWAY_URL is empty."
            )
        try:
            ready = self._get("/readyz", hold)
            started = self._get("/startupz", hold)
        except httpx.HTTPError as error:
            return GatewayState(
                is_ready=False,
                version=None,
                problem=f"The gateway cannot be reached ({type(error).__name__}). Is it running, "
                "and is OPENCLAW_GATEWAY_URL right?",
            )
        return state_of(ready, started)

    def accepts_token(self) -> bool | None:
        """Say whether the gateway takes our token; None when it cannot be told."""
        try:
            status, _ = self._get("/v1/models")
        except httpx.HTTPError:
            return None
        return {200: True, 401: False, 403: False}.get(status)

    def _refuse_old_gateway(self, hold: Hold) -> None:
        """Look at the version before the first ask, and now and then: it may have been replaced."""
        if self._is_version_known():
            return
        # One thread looks; the others wait only for a look that finds a version for the first time,
        # and whatever the one finds that they have waited for is good for them as well.
        looks = self._looks
        if self._looking.acquire(blocking=self._version_checked_at is None):
            try:
                if self._looks == looks and not self._is_version_known():
                    self._check_version(hold)
            finally:
                self._looking.release()
        if self._refusal is not None:
            raise errors.GatewayMisconfigured(self._refusal)

    def _is_version_known(self) -> bool:
        checked_at = self._version_checked_at
        return checked_at is not None and self._clock.monotonic() < checked_at + _VERSION_S

    def _check_version(self, hold: Hold) -> None:
        now = self._clock.monotonic()
        try:
            state = self._look(hold)
        finally:
            self._looks += 1
        self._refusal = (state.problem or "the gateway is too old") if state.is_too_old else None
        if state.is_too_old:
            self._version_checked_at = None
        elif state.version is not None:
            self._version_checked_at = now

    def _get(self, path: str, hold: Hold | None = None) -> tuple[int, Any]:
        """Send a small GET with a limit for the whole exchange, whatever drips out of it."""
        mine = self._clients.mine()
        exchange = Exchange(mine)
        holding = hold.on_loss(lambda: exchange.close(Ending.CANCELLED)) if hold else nullcontext()
        with self._watchdog.watching(exchange, _LOOK), holding:
            try:
                request = Request(method="GET", path=path, body_limit=_LOOK_BYTES)
                status, _, content = send(mine, exchange, request)
            except (ExchangeClosed, BodyTooLarge) as error:
                raise httpx.ReadError(type(error).__name__) from error
        try:
            return status, json.loads(content)
        except (ValueError, RecursionError):
            return status, None


def gateway_session_key(agent: str, key: SessionKey) -> str:
    """Put the backend's session key into the gateway's form.

    The gateway reads the agent from the key, and lower-cases it; a bare key of the backend would
    run the default agent or none.
    """
    return f"agent:{agent}:{key}".lower()


def _request_of(ask: Ask) -> Request:
    if not _SLUG.fullmatch(ask.agent):
        raise errors.AgentUnavailable("the agent's slug is not one that a gateway can have")
    key = gateway_session_key(ask.agent, ask.session_key)
    if not _KEY.fullmatch(key):
        raise errors.AskRefused("the session key cannot be sent in a header")
    fields: dict[str, Any] = {
        "model": f"openclaw/{ask.agent.lower()}",
        "instructions": without_lone_surrogates(ask.instructions),
        "input": _input_of(ask),
    }
    if ask.tools:
        fields["tools"] = [_tool_form(tool) for tool in ask.tools]
    body = _as_json(fields).encode()
    if len(body) > _REQUEST_LIMIT:
        raise errors.AskRefused("the prompt is larger than the gateway takes (20 MiB)")
    return Request(
        method="POST",
        path="/v1/responses",
        content=body,
        headers={"x-openclaw-session-key": key},
    )


def _input_of(ask: Ask) -> str | list[dict[str, str]]:
    if not ask.results:
        return without_lone_surrogates(ask.text)
    return [
        {
            "type": "function_call_output",
            "call_id": result.call_id,
            "output": without_lone_surrogates(result.text),
        }
        for result in ask.results
    ]


def _tool_form(tool: Tool) -> dict[str, Any]:
    """Give the flat form; the nested one of other APIs is refused."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }


def _lost(exchange: Exchange, error: Exception) -> errors.GatewayError:
    """Translate a broken exchange by who ended it and how far it was."""
    what = type(error).__name__
    match exchange.ending:
        case Ending.CANCELLED:
            return errors.AskCancelled("the exchange was closed from our side")
        case Ending.TIMED_OUT if not exchange.was_sent:
            return errors.GatewayUnavailable("the gateway takes no connections")
        case Ending.TIMED_OUT:
            return errors.AskTimedOut("no whole answer within OPENCLAW_REQUEST_TIMEOUT_MS")
        case None if isinstance(error, httpx.ReadTimeout):
            return errors.AskTimedOut("no answer within the read limit")
        case None if exchange.was_sent:
            return errors.AskLost(f"the connection broke before the answer came ({what})")
        case None:
            return errors.GatewayUnavailable(f"the gateway cannot be reached ({what})")


def _wish(headers: httpx.Headers) -> timedelta | None:
    """Read ``Retry-After``: seconds or a date; nonsense is None, and ten minutes are the most."""
    text = headers.get("retry-after", "").strip()
    try:
        if text.isascii() and text.isdigit():
            wish = timedelta(seconds=min(int(text), 86_400))
        else:
            since = parsedate_to_datetime(headers["date"])
            wish = parsedate_to_datetime(text) - since
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return min(max(wish, timedelta(0)), _LONGEST_WISH)
