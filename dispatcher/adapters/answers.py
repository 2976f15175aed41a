"""What the gateway answers: a reply, or an error of ours.

Two shapes of errors exist: (a) ``{"error": {...}}`` when the request was refused before a run,
(b) a response object with ``"status": "failed"`` when the run failed.
"""

import json
from datetime import timedelta
from typing import Any, Final

from dispatcher.domain import errors
from dispatcher.domain.redact import short_error
from dispatcher.domain.reply import Reply, ToolCall, Usage
from dispatcher.domain.text import without_lone_surrogates

_BILLING_REST: Final = timedelta(minutes=10)
_NAME_LIMIT: Final = 200
"""No tool of ours has a longer name; a model may make one up."""
_UNAVAILABLE: Final = frozenset({408, 503})
_PROVIDER_REFUSES: Final = frozenset({401, 402, 403, 404, 429})


def read_answer(status: int, content: bytes, *, retry_after: timedelta | None = None) -> Reply:
    """Read the gateway's answer to an ask.

    Args:
        status: The HTTP status.
        content: The whole body, whatever it is.
        retry_after: The gateway's wish, when it had one.

    Raises:
        GatewayError: It is not a reply; see the tree of errors for which one and why.
    """
    body = _parsed(content)
    if 200 <= status < 300:
        return _read_success(body)
    message = _message_of(body)
    text = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    if status in _UNAVAILABLE or (status in {502, 504} and not _is_response(body)):
        raise errors.GatewayUnavailable(text, retry_after=retry_after)
    if _is_response(body):
        raise _failed_run(status, text)
    raise _refused(status, text, message, retry_after)


def _read_success(body: Any) -> Reply:  # noqa: ANN401 - JSON
    if not isinstance(body, dict):
        raise errors.AskFailed("the gateway answered 2xx with something that is not JSON")
    status = body.get("status")
    if status not in ("completed", "incomplete", None) or body.get("error"):
        why = _message_of(body) or short_error(str(status))
        raise errors.AskFailed(f"the run failed inside a 2xx: {why}")
    output = body.get("output")
    if not isinstance(output, list):
        raise errors.AskFailed("the gateway answered 2xx without an output")
    items = [item for item in output if isinstance(item, dict)]
    calls = tuple(call for call in map(_read_call, items) if call is not None)
    return Reply(
        text=without_lone_surrogates("\n\n".join(filter(None, map(_read_text, items)))).strip(),
        tool_calls=calls,
        # Older gateways say "incomplete" when the model called a tool: nothing was cut then.
        is_incomplete=status == "incomplete" and not calls,
        usage=_read_usage(body.get("usage")),
    )


def _read_text(item: dict[str, Any]) -> str:
    """Collect a message's text; what stands beside a tool call is commentary, not the reply."""
    if item.get("type") != "message" or item.get("phase") == "commentary":
        return ""
    content = item.get("content")
    if isinstance(content, str):
        return content.strip()
    parts = content if isinstance(content, list) else []
    texts = [
        part["text"].strip()
        for part in parts
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    return "\n".join(text for text in texts if text)


def _read_call(item: dict[str, Any]) -> ToolCall | None:
    call_id, name = item.get("call_id"), item.get("name")
    if item.get("type") != "function_call":
        return None
    if not (isinstance(call_id, str) and call_id and isinstance(name, str) and name):
        return None
    arguments = item.get("arguments")
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(
        call_id=without_lone_surrogates(call_id),
        name=without_lone_surrogates(name)[:_NAME_LIMIT],
        arguments=arguments,
    )


def _read_usage(usage: Any) -> Usage:  # noqa: ANN401 - JSON
    def count(name: str) -> int:
        value = usage.get(name) if isinstance(usage, dict) else None
        return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0

    return Usage(input_tokens=count("input_tokens"), output_tokens=count("output_tokens"))


def _failed_run(status: int, text: str) -> errors.GatewayError:
    if status == 402:
        return errors.AgentUnavailable(text, rest=_BILLING_REST)
    if status in _PROVIDER_REFUSES:
        return errors.AgentUnavailable(text, is_throttled=status == 429)
    if status in {400, 413}:
        return errors.AskRefused(text)
    return errors.AskFailed(text)


def _refused(
    status: int, text: str, message: str, retry_after: timedelta | None
) -> errors.GatewayError:
    if status == 429:
        return errors.GatewayUnavailable(text, retry_after=retry_after)
    if status == 413:
        return errors.AskRefused(text)
    if status == 400:
        if "Unrecognized key" in message:
            return errors.GatewayMisconfigured(text)
        # An agent that the gateway does not have yet may be added while we wait.
        unknown = "agent" in message.lower() or "model" in message.lower()
        return errors.AgentUnavailable(text) if unknown else errors.AskRefused(text)
    if status >= 500:
        return errors.AskFailed(text)
    return errors.GatewayMisconfigured(text)


def _parsed(content: bytes) -> Any:  # noqa: ANN401 - JSON, or None when it is none
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _is_response(body: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(body, dict) and body.get("object") == "response"


def _message_of(body: Any) -> str:  # noqa: ANN401 - JSON
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return short_error(message) if isinstance(message, str) else ""
