"""A model provider without a model: speaks like OpenAI's chat completions and does as it is told."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from dispatcher.sandbox.gateway.connections import DroppingServer
from dispatcher.sandbox.gateway.over_http import call_over_http
from dispatcher.sandbox.gateway.script import Plan, plan_of_text, text_to_respond_to
from dispatcher.sandbox.gateway.watch import Watch
from dispatcher.sandbox.serving import SandboxHandler

# What the gateway writes around a turn: a stamp before it, in a new session a line behind it.
_STAMP = re.compile(r"\A\[\w{3} \d{4}-\d\d-\d\d \d\d:\d\d [^\]]+\] ")
_RUNTIME = re.compile(r"\n\nRuntime: agent=[^\n]*\Z")
_TOOL_RESULT = re.compile(r"^.*?(Tool:[^:\s]+: .*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How one model behaves from now on.

    Attributes:
        status: An error status for every request; None to answer.
        delay_s: How long it thinks before it says anything.
        reply: What it says; None for the echo.
        times: So many requests behave like this, the next ones normally; None for all.
    """

    status: int | None = None
    delay_s: float = 0.0
    reply: str | None = None
    times: int | None = None


class ScriptedModel:
    """The provider; each agent has a model of its own name, so that they can differ.

    Markers in the last user message are those of the scripted gateway that a model can play:
    ``[[reply:text]]``, ``[[delay:s]]``, ``[[error:status]]``, ``[[tool:name {...}]]``, ``[[rounds:n]]``. The gateway
    repeats a failed request in words of its own, without them: for lasting failures use
    ``behave``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[dict[str, Any]] = []
        self._manners: dict[str, Manner] = {}
        self._used: dict[str, int] = {}
        self._began = time.monotonic()
        self._watch = Watch()
        self._server: DroppingServer | None = None

    @property
    def url(self) -> str:
        """Return what goes into the provider's ``baseUrl``."""
        assert self._server is not None, "the model was not started"
        return f"{self._server.url}/v1"

    def __enter__(self) -> Self:
        class Handler(_Handler):
            model = self
            timeout = 60

        self._watch.start()
        self._server = DroppingServer(Handler, port=0)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.stop()
        self._server.drop_connections()
        self._watch.close()

    def behave(self, model: str, manner: Manner) -> None:
        """Set how one model, or ``"*"`` for all, answers from now on."""
        with self._lock:
            self._manners[model] = manner
            self._used[model] = 0

    def ledger(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the requests so far, of one model or all, in order of arrival.

        Shape:
            ``{"seq", "model", "received_at", "ended_at", "outcome": "running" | "answered" |
            "failed" | "cut", "status", "text", "messages", "tools"}``; instants are monotonic
            seconds since the model was made, ``text`` is the last user message without what the
            gateway writes around it.
        """
        with self._lock:
            return [dict(row) for row in self._rows if model in {None, row["model"]}]

    def manner_of(self, model: str) -> Manner:
        """Choose the manner for one request, and count it."""
        with self._lock:
            name = model if model in self._manners else "*"
            manner = self._manners.get(name, Manner())
            self._used[name] = self._used.get(name, 0) + 1
            used_up = manner.times is not None and self._used[name] > manner.times
            return Manner() if used_up else manner

    def opened(self, request: dict[str, Any], text: str) -> int:
        """Enter a request that has arrived; return its place in the ledger."""
        with self._lock:
            row = {
                "seq": len(self._rows) + 1,
                "model": request.get("model"),
                "received_at": self._now(),
                "ended_at": None,
                "outcome": "running",
                "status": None,
                "text": text,
                "messages": request.get("messages", []),
                "tools": [tool["function"]["name"] for tool in request.get("tools") or []],
            }
            self._rows.append(row)
            return len(self._rows) - 1

    def closed(self, index: int, outcome: str, status: int | None) -> None:
        """Note the end of a request."""
        with self._lock:
            self._rows[index].update(ended_at=self._now(), outcome=outcome, status=status)

    @contextmanager
    def watching(self, connection: Any) -> Iterator[threading.Event]:
        """Give an event that is set when the caller hangs up."""
        gone = threading.Event()
        with self._watch.over(connection, gone.set):
            yield gone

    def _now(self) -> float:
        return time.monotonic() - self._began


class _Handler(SandboxHandler):
    model: ScriptedModel

    def do_GET(self) -> None:  # noqa: N802 - the base's name
        self._send(404, {"error": {"message": "only chat completions are served"}})

    def do_POST(self) -> None:  # noqa: N802 - the base's name
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if self.path != "/v1/chat/completions":
            self._send(404, {"error": {"message": "only chat completions are served"}})
            return
        text = last_user_text(request.get("messages", []))
        index = self.model.opened(request, text)
        manner = self.model.manner_of(str(request.get("model")))
        plan, played = plan_of(request.get("messages", []))
        with self.model.watching(self.connection) as gone:
            if gone.wait(manner.delay_s if plan.delay_s is None else plan.delay_s):
                self.model.closed(index, "cut", None)
                self.close_connection = True
                return
        status = manner.status or _status_of(plan)
        if status is not None:
            self.model.closed(index, "failed", status)
            error = {"message": f"the scripted model fails with {status}", "type": "scripted"}
            self._send(status, {"error": error})
            return
        self.model.closed(index, "answered", 200)
        self._send_chunks(
            request,
            self._message(request, replace(plan, rounds=plan.rounds - played), manner, text),
        )

    def _message(
        self, request: dict[str, Any], plan: Plan, manner: Manner, text: str
    ) -> dict[str, Any]:
        offered = {tool["function"]["name"] for tool in request.get("tools") or []}
        calls = [call for call in plan.calls if call.name in offered]
        if calls and plan.rounds > 0:
            return {"tool_calls": [_tool_call(index, call) for index, call in enumerate(calls)]}
        told = call_over_http(system_text(request.get("messages", [])), plan.calls)
        if told:
            return {"content": f"Done: {' | '.join(told)}"}
        return {"content": plan.reply or manner.reply or reply_to(text)}

    def _send_chunks(self, request: dict[str, Any], message: dict[str, Any]) -> None:
        finish = "tool_calls" if "tool_calls" in message else "stop"
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        common = {
            "id": "chatcmpl-scripted",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": request.get("model"),
        }
        steps = [({"role": "assistant", **message}, None), ({}, finish)]
        chunks = [
            {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            for delta, reason in steps
        ]
        chunks.append({**common, "choices": [], "usage": usage})
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
        self._write(200, "text/event-stream", "".join(lines).encode())

    def _send(self, status: int, body: object) -> None:
        self._write(status, "application/json", json.dumps(body).encode())

    def _write(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """Return the last user message without the gateway's stamp and runtime line."""
    last = next((m for m in reversed(messages) if m.get("role") == "user"), {})
    return _RUNTIME.sub("", _STAMP.sub("", text_of(last)))


def plan_of(messages: list[dict[str, Any]]) -> tuple[Plan, int]:
    """Find the plan of the last message that is no tool result, and how many rounds it has had."""
    told = 0
    for message in reversed(messages):
        if message.get("role") != "user":
            continue
        text = _RUNTIME.sub("", _STAMP.sub("", text_of(message)))
        results = _TOOL_RESULT.findall(text)
        if not results:
            plan = plan_of_text(text_to_respond_to(text))
            return plan, told // max(1, len(plan.calls))
        told += len(results)
    return Plan(), 0


def system_text(messages: list[dict[str, Any]]) -> str:
    """Return what the model is told to be."""
    told = (text_of(one) for one in messages if one.get("role") in {"system", "developer"})
    return "\n".join(told)


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message, whatever shape its content has."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def reply_to(text: str) -> str:
    """Quote the tool results in a message, or else its last line."""
    results = _TOOL_RESULT.findall(text)
    return f"Results: {' | '.join(results)}" if results else f"Done: {text_to_respond_to(text)}"


def _status_of(plan: Plan) -> int | None:
    if plan.fault is None or not plan.fault.startswith("error:"):
        return None
    return int(plan.fault.removeprefix("error:"))


def _tool_call(index: int, call: Any) -> dict[str, Any]:
    return {
        "index": index,
        "id": f"provider-call-{index}",
        "type": "function",
        "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
    }
