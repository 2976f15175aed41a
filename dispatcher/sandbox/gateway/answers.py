"""The bodies that the gateway answers with: refusals, failed runs, replies and tool calls."""

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dispatcher.sandbox.gateway.ledger import Outcome
from dispatcher.sandbox.gateway.script import Call

JSON: Final = "application/json; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"

_SYSTEM_PROMPT_TOKENS: Final = 6800
_CHARACTERS_PER_TOKEN: Final = 4
_TRUNCATED: Final = "\n\n[Reply truncated at the model's output token limit]"
_PAGE: Final = b"<!doctype html><html><body><h1>%d</h1></body></html>"

_FAILED: Final = {
    400: ("invalid_request_error", "the provider refused the request"),
    401: ("authentication_error", "the provider refused its key"),
    402: ("insufficient_quota", "the provider wants to be paid"),
    403: ("authentication_error", "the provider refused its key"),
    404: ("invalid_request_error", "the provider does not know the model"),
    429: ("rate_limit_error", "the provider's limit is reached"),
    502: ("api_error", "upstream provider error"),
}
_INTERNAL: Final = ("api_error", "internal error")
_BARE_TEXT: Final = {404: "Not Found", 405: "Method Not Allowed"}
_REFUSED: Final = {
    400: ("invalid_request_error", "Invalid request"),
    401: ("unauthorized", "Unauthorized"),
    408: ("invalid_request_error", "Request body timeout"),
    413: ("invalid_request_error", "Payload too large"),
}
_RUN_ERRORS: Final = frozenset({402, 403, 429, 500, 502})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer, and what the ledger calls it."""

    status: int
    body: bytes
    outcome: Outcome
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    closes: bool = False


def of_json(status: int, body: object, outcome: Outcome = "answered") -> Answer:
    """Answer with JSON."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Answer(status=status, body=data.encode("utf-8", "replace"), outcome=outcome)


def of_text(status: int, text: str, outcome: Outcome = "refused") -> Answer:
    """Answer with plain text."""
    return Answer(status=status, body=text.encode(), outcome=outcome, content_type=TEXT)


def page(status: int, outcome: Outcome = "failed") -> Answer:
    """Answer with a web page, as a proxy or the gateway's own interface does."""
    return Answer(status=status, body=_PAGE % status, outcome=outcome, content_type=HTML)


def refused(status: int, message: str | None = None) -> Answer:
    """Refuse before a run; the shape has no response object."""
    kind, usual = _REFUSED[status]
    error = {"message": message or usual, "type": kind}
    return replace(of_json(status, {"error": error}, "refused"), closes=status == 413)


def unavailable() -> Answer:
    """Refuse while draining."""
    error = {
        "message": "Gateway is draining",
        "type": "service_unavailable",
        "code": "gateway_unavailable",
    }
    return replace(of_json(503, {"error": error}, "refused"), headers={"Retry-After": "1"})


def failed(status: int, model: str, error: tuple[str, str] | None = None) -> Answer:
    """Answer that a run failed; the shape is a response object."""
    code, message = error or _FAILED.get(status, _INTERNAL)
    body = _response(model, "failed", [], _usage("", ""))
    return of_json(status, {**body, "error": {"code": code, "message": message}}, "failed")


def error(what: str, model: str) -> Answer:
    """Play an error by its name.

    Args:
        what: A status, answered as the gateway itself would; ``provider<status>`` for a run that
            failed; ``proxy<status>`` for a page without a response object.
        model: What the request asked for.
    """
    kind = what.rstrip("0123456789")
    status = int(what[len(kind) :] or 500)
    if kind == "provider" or (not kind and status in _RUN_ERRORS):
        return failed(status, model)
    if not kind and status == 503:
        return unavailable()
    if not kind and status in _BARE_TEXT:
        allowed = {"Allow": "POST"} if status == 405 else {}
        return replace(of_text(status, _BARE_TEXT[status]), headers=allowed)
    if not kind and status in _REFUSED:
        return refused(status)
    return page(status)


def garbage() -> Answer:
    """Answer 200 with something that is not JSON."""
    return page(200)


def broken_json(model: str) -> Answer:
    """Answer 200 with JSON that ends too early."""
    whole = of_json(200, _response(model, "completed", [], _usage("", "")), "failed")
    return Answer(status=200, body=whole.body[: len(whole.body) // 2], outcome="failed")


def completed(model: str, output: list[dict[str, Any]], seen: str, said: str) -> Answer:
    """Answer with what the agent said."""
    return of_json(200, _response(model, "completed", output, _usage(seen, said)))


def incomplete(model: str, seen: str, said: str) -> Answer:
    """Answer with a reply that met the model's output limit."""
    body = _response(model, "incomplete", [message(said + _TRUNCATED)], _usage(seen, said))
    return of_json(200, {**body, "incomplete_details": {"reason": "max_output_tokens"}})


def message(text: str, phase: str = "final_answer") -> dict[str, Any]:
    """Make an output item of a text."""
    return {
        "type": "message",
        "id": f"msg_{uuid.uuid4()}",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text}],
        "phase": phase,
        "status": "completed",
    }


def function_calls(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """Make output items of tool calls; the ids are the gateway's own."""
    return [
        {
            "type": "function_call",
            "id": f"call_{uuid.uuid4()}",
            "call_id": uuid.uuid4().hex[:9],
            "name": call.name,
            "arguments": json.dumps(call.arguments, ensure_ascii=False),
        }
        for call in calls
    ]


def _response(
    model: str, status: str, output: list[dict[str, Any]], usage: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": f"resp_{uuid.uuid4()}",
        "object": "response",
        # The contract's field is wall-clock seconds; nothing here computes with it.
        "created_at": int(time.time()),  # noqa: TID251
        "status": status,
        "model": model,
        "output": output,
        "usage": usage,
    }


def _usage(seen: str, said: str) -> dict[str, Any]:
    came = _SYSTEM_PROMPT_TOKENS + len(seen) // _CHARACTERS_PER_TOKEN if seen else 0
    went = max(1, len(said) // _CHARACTERS_PER_TOKEN) if said else 0
    return {
        "input_tokens": came,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": went,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": came + went,
    }
