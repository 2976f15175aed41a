"""The sandbox's threads in the console of `dispatcher dev`: read them, write into them."""

from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from flask import Flask, Response, abort, jsonify, render_template, request

from dispatcher.domain.text import without_lone_surrogates

_TIMEOUT_S: Final = 5.0
_LONGEST: Final = 20_000
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def add_sandbox_pages(app: Flask, *, sandbox_url: str, account: str) -> None:
    """Add the page, and the routes that its script calls.

    They act as the sandbox's person, so they take requests of this very page only: no other site
    may write through the visitor's browser, under whatever name it reached this port.
    """

    @app.get("/threads")
    def threads_page() -> str:
        return render_template("threads.html", page="threads")

    @app.get("/sandbox/threads")
    def threads() -> Response:
        _only_this_page()
        return jsonify(_call("GET", f"{sandbox_url}/human/threads", params={"account": account}))

    @app.post("/sandbox/messages")
    def post_message() -> Response:
        _only_this_page()
        try:
            body = request.get_json(silent=True)
        except RecursionError:
            abort(400, "The message is nested too deeply.")
        fields = body if isinstance(body, dict) else {}
        task, content = fields.get("task"), fields.get("content")
        if not isinstance(task, str) or not isinstance(content, str) or not content.strip():
            abort(400, "A message needs a task and a text.")
        if len(content) > _LONGEST:
            abort(413, f"A message has at most {_LONGEST} characters here.")
        message = {"account": account, "task": task, "content": without_lone_surrogates(content)}
        return jsonify(_call("POST", f"{sandbox_url}/human/post_message", json=message))


def _only_this_page() -> None:
    if urlsplit(f"//{request.host}").hostname not in _LOCAL:
        abort(403, "The sandbox is for this machine only.")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.host}":
        abort(403, "Another site may not use the sandbox.")


def _call(method: str, url: str, **options: Any) -> Any:  # noqa: ANN401
    try:
        response = httpx.request(method, url, timeout=_TIMEOUT_S, trust_env=False, **options)
        answer = response.json()
    except (httpx.HTTPError, ValueError):
        abort(502, "The sandbox does not answer.")
    if response.is_error:
        abort(response.status_code, str(answer.get("error", "The sandbox refused."))[:500])
    return answer
