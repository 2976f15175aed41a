"""The HTTP interface as it is described, and whatever a stranger makes of that description."""

import json
from pathlib import Path
from typing import Any

import pytest
import redis
import schemathesis
from hypothesis import HealthCheck, given, settings
from prometheus_client import CollectorRegistry
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from dispatcher.lab.openapi import describe, text
from dispatcher.web.agents import HEADER
from tests.house import five_states, furnish
from tests.web.agent_site import AgentSite, rights
from tests.web.sample_site import Site

BOUNDED = settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large,
                           HealthCheck.function_scoped_fixture],
)  # fmt: skip
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance)
SECRETS = ("console-token", "k" * 32, "Traceback", 'File "/')


def test_the_description_is_that_of_the_code() -> None:
    """Write it anew with: python -m dispatcher.lab.openapi > ops/openapi.json"""
    page = Path(__file__).parents[2] / "ops" / "openapi.json"

    assert page.read_text() == text()


@pytest.fixture
def whole(redis_client: redis.Redis) -> Any:
    """The whole site on a real store, and the description of it."""
    house = furnish(redis_client)
    five_states(house)
    agents = AgentSite(calls=10**6)
    site = Site(house, registry=CollectorRegistry())
    app = site.app(agents=agents.side)
    schema = schemathesis.openapi.from_dict(describe(app, version="1"))
    schema.app = app
    schema.agents = agents
    return schema


OPERATIONS = [
    (path, method) for path, found in json.loads(text())["paths"].items() for method in found
]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_sent_is_answered_as_described(whole: Any, path: str, method: str) -> None:
    """By a stranger, by an agent and by an operator: no 500, no trace of our insides."""
    token = whole.agents.token(rights(lead=True, done=True))
    who = ({}, {HEADER: token}, {"Authorization": "Bearer console-token"})

    @BOUNDED
    @given(case=whole[path][method].as_strategy())
    def send(case: Any) -> None:
        for headers in who:
            answer = case.call(headers=headers)
            case.validate_response(answer, checks=CHECKS)
            assert not any(secret in answer.text for secret in (*SECRETS, token)), answer.text

    send()


def test_the_description_has_every_route_and_method() -> None:
    found = json.loads(text())["paths"]
    app = AgentSite().client.application
    routes = {
        (rule.rule, method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST"}
        if "<" not in rule.rule
    }

    assert {(path, method) for path in found for method in found[path] if "{" not in path} == routes
