"""A site for the tests of the web: an app, its facts, and a count of its wake-ups."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from dispatcher.adapters.clock import MachineClock
from dispatcher.domain.diagnosis import Limits
from dispatcher.web.app import build_app
from dispatcher.web.console import ConsoleSide
from tests.fakes.backend import FakeBackend
from tests.fakes.diary import Diary
from tests.house import House

TOKEN = SecretStr("console-token")
LOCAL = "127.0.0.1:8080"
BEARER = {"Authorization": "Bearer console-token"}


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

    def operations(self) -> dict[str, Any]:
        return {"operations": {}}

    def version(self) -> dict[str, str]:
        return {
            "runtimeServiceVersion": "0.1.0",
            "openclawVersion": "2026.9.6",
            "dropletId": "d1",
            "region": "",
        }


@dataclass
class Site:
    """An app with its facts and a count of its wake-ups; it shows the console of a house."""

    house: House | None = None
    facts: Facts = field(default_factory=Facts)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    wakes: list[str] = field(default_factory=list)

    def app(self, *, token: SecretStr | None = TOKEN, sandbox: tuple[str, str] | None = None,
            **more: Any) -> Flask:  # fmt: skip
        return build_app(
            self.facts,
            registry=self.registry,
            wake=lambda: self.wakes.append("wake"),
            console=self._console(token, sandbox),
            **more,
        )

    def client(self, **options: Any) -> FlaskClient:
        return self.app(**options).test_client()

    def _console(
        self, token: SecretStr | None, sandbox: tuple[str, str] | None
    ) -> ConsoleSide:  # fmt: skip
        # Whoever never looks at a page needs no house.
        house: Any = self.house or SimpleNamespace(
            survey=None, store=None, records=None, controls=None, roster=None
        )
        return ConsoleSide(
            survey=house.survey,
            mailboxes=house.store,
            records=house.records,
            controls=house.controls,
            roster=house.roster,
            backend=FakeBackend(Diary()),  # type: ignore[arg-type]
            clock=MachineClock(),
            limits=Limits(),
            version="0.1.0",
            account="acc",
            token=token,
            hosts=("console.example",),
            sandbox=sandbox,
        )


def sign_in(client: FlaskClient) -> str:
    """Sign in as an operator; return the token that forms must carry."""
    answer = client.post("/sign-in", data={"token": "console-token"})
    assert answer.status_code == 302, answer.text
    with client.session_transaction() as session:
        return str(session["form_token"])
