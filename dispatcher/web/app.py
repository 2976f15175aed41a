"""The Flask app: build it with what it shows; it holds no state of its own."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from flask import Flask, Response, abort, jsonify, render_template, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from werkzeug.exceptions import HTTPException, MethodNotAllowed, ServiceUnavailable

from dispatcher.domain.errors import StoreError
from dispatcher.web.agents import AgentSide, add_agent_endpoints
from dispatcher.web.console import ConsoleSide, Door, add_console

_BODY_LIMIT: Final = 256 * 1024
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
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

    def operations(self) -> dict[str, Any]:
        """Return what was done how often, and how long it took."""
        ...


def build_app(
    health: Health,
    *,
    registry: CollectorRegistry,
    wake: Callable[[], None],
    console: ConsoleSide,
    agents: AgentSide | None = None,
) -> Flask:
    """Build the app.

    Args:
        health: Asked anew for every request.
        registry: What ``/metrics`` shows.
        wake: Called when somebody says that there is work.
        console: Serves the operator's pages; its token is what ``POST /wake`` wants to see.
        agents: Serves ``/agent/*``; without it there are no such endpoints.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _BODY_LIMIT
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask types the base class
    _add_health(app, health, registry)
    if agents is not None:
        add_agent_endpoints(app, agents)
    door = add_console(app, console)
    _add_wake(app, wake, door)

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Not no-referrer: browsers would then hide from which site a form comes.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    _add_complaints(app)
    return app


def _add_complaints(app: Flask) -> None:
    """Answer what goes wrong in the form that the caller reads: a page, or JSON."""

    def answer(error: HTTPException, text: str) -> Response:
        code = error.code or 500
        if request.accept_mimetypes.best == "text/html":
            found = Response(render_template("wrong.html", page="", code=code, text=text), code)
        else:
            is_agent = request.path.startswith("/agent/")
            found = jsonify(success=False, error=text) if is_agent else jsonify(error=text)
            found.status_code = code
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            found.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return found

    @app.errorhandler(HTTPException)
    def tell(error: HTTPException) -> Response:
        return answer(error, error.description or error.name)

    @app.errorhandler(StoreError)
    def tell_of_store(error: StoreError) -> Response:
        return answer(ServiceUnavailable(), f"{error}. Is REDIS_URL right, and does it run?")


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
        if "application/json" in request.headers.get("Accept", ""):
            return jsonify(health.operations())
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), content_type=content_type)


def _add_wake(app: Flask, wake: Callable[[], None], door: Door) -> None:
    @app.post("/wake")
    def waken() -> tuple[str, int]:
        if not door.can_open:
            abort(403, "POST /wake is off: CONSOLE_TOKEN is not set.")
        door.check_bearer()
        wake()
        return "", 204
