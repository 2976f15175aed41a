"""A site for the tests of the web: an app, its facts, and a count of its wake-ups."""

from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from dispatcher.web.app import build_app

TOKEN = SecretStr("console-token")
LOCAL = "127.0.0.1:8080"


@dataclass
class Facts:
    """Vitals whose facts a test chooses."""

    loops: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    is_store_up: bool = True

    def stuck(self) -> tuple[str, ...]:
        return self.loops

    def problems(self) -> tuple[str, ...]:
        return self.sentences

    def health(self) -> dict[str, Any]:
        numbers = {"open": 9, "inFlight": 2, "waiting": 5, "resting": 1, "dead": 41}
        return {
            "status": "degraded" if self.sentences else "healthy",
            "problems": list(self.sentences),
            "versions": {"runtimeService": "0.1.0", "openclaw": "2026.9.6"},
            "store": {"running": True, **numbers} if self.is_store_up else {"running": False},
        }

    def version(self) -> dict[str, str]:
        return {
            "runtimeServiceVersion": "0.1.0",
            "openclawVersion": "2026.9.6",
            "dropletId": "d1",
            "region": "",
        }


@dataclass
class Site:
    """An app with its facts and a count of its wake-ups."""

    facts: Facts = field(default_factory=Facts)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    wakes: list[str] = field(default_factory=list)

    def client(self, *, token: SecretStr | None = TOKEN, **more: Any) -> FlaskClient:
        app = build_app(
            self.facts,
            registry=self.registry,
            wake=lambda: self.wakes.append("wake"),
            console_token=token,
            **more,
        )
        return app.test_client()
