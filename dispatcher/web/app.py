"""The Flask app: build it with what it shows; it holds no state of its own."""

import hmac
from collections.abc import Callable
from typing import Any, Final, Protocol

from flask import Flask, Response, abort, jsonify, render_template, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from dispatcher.web.agents import AgentSide, add_agent_endpoints
from dispatcher.web.sandbox import add_sandbox_pages

_BODY_LIMIT: Final = 256 * 1024
_POLICY: Final = (
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "object-src 'none'"
)


class Health(Protocol):
    """What the process knows of its own health."""

    def stuck(self) -> tuple[str, ...]:
        """Name the loops that make no progress."""
        ...

    def problems(self) -> tuple[str, ...]:
        """Say in sentences what keeps this process from being ready."""
        ...

    def health(self) -> dict[str, Any]:
        """Return the whole health report; ``status`` is healthy or degraded."""
        ...

    def version(self) -> dict[str, str]:
        """Return what runs here."""
        ...


def build_app(
    health: Health,
    *,
    registry: CollectorRegistry,
    wake: Callable[[], None],
    console_token: SecretStr | None,
    sandbox: tuple[str, str] | None = None,
    agents: AgentSide | None = None,
) -> Flask:
    """Build the app.

    Args:
        health: Asked anew for every request.
        registry: What ``/metrics`` shows.
        wake: Called when somebody says that there is work.
        console_token: What ``POST /wake`` wants to see; without one it is off.
        sandbox: URL and account of a sandbox whose threads the page shows.
        agents: Serves ``/agent/*``; without it there are no such endpoints.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _BODY_LIMIT
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask types the base class
    _add_health(app, health, registry)
    _add_wake(app, wake, console_token)
    if agents is not None:
        add_agent_endpoints(app, agents)
    if sandbox is not None:
        add_sandbox_pages(app, sandbox_url=sandbox[0], account=sandbox[1])

    @app.get("/")
    def page() -> str:
        return render_template("page.html", health=health.health(), sandbox=sandbox is not None)

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.errorhandler(HTTPException)
    def tell(error: HTTPException) -> tuple[Response, int]:
        text = error.description or error.name
        is_agent = request.path.startswith("/agent/")
        answer = jsonify(success=False, error=text) if is_agent else jsonify(error=text)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return answer, error.code or 500

    return app


def _add_health(app: Flask, health: Health, registry: CollectorRegistry) -> None:
    @app.get("/livez")
    def livez() -> tuple[Response, int]:
        stuck = health.stuck()
        return jsonify(alive=not stuck, stuck=list(stuck)), 503 if stuck else 200

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        problems = health.problems()
        return jsonify(ready=not problems, problems=list(problems)), 503 if problems else 200

    @app.get("/health")
    def health_report() -> tuple[Response, int]:
        report = health.health()
        return jsonify(report), 200 if report["status"] == "healthy" else 503

    @app.get("/version")
    def version() -> Response:
        return jsonify(health.version())

    @app.get("/metrics")
    def metrics() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), content_type=content_type)


def _add_wake(app: Flask, wake: Callable[[], None], token: SecretStr | None) -> None:
    @app.post("/wake")
    def waken() -> tuple[str, int]:
        if token is None or not token.get_secret_value():
            abort(403, "POST /wake is off: CONSOLE_TOKEN is not set.")
        given = request.headers.get("Authorization", "")
        wanted = f"Bearer {token.get_secret_value()}"
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            abort(401, "POST /wake wants the console token as a bearer token.")
        wake()
        return "", 204
