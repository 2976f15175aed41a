"""Describes the HTTP interface as OpenAPI, from the routes of the app and the catalogue of tools.

Run by `python -m dispatcher.lab.openapi > ops/openapi.json`.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from flask import Flask
from prometheus_client import CollectorRegistry

from dispatcher.adapters.clock import MachineClock
from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.diagnosis import Limits
from dispatcher.domain.tools import Tool
from dispatcher.web.agents import HEADER, AgentSide
from dispatcher.web.app import build_app
from dispatcher.web.console import ConsoleSide
from dispatcher.web.limits import Budget

_HTML: Final = "text/html"
_JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}
_FORMS: Final[dict[str, tuple[str, ...]]] = {
    "/sign-in": ("token", "back"),
    "/sign-out": (),
    "/steer/ask": ("delivery", "form_token"),
    "/steer/pause": ("what", "back", "form_token"),
    "/steer/resume": ("what", "back", "form_token"),
    "/steer/revive": ("delivery", "cause", "agent", "fresh", "dry", "form_token"),
    "/steer/discard": ("delivery", "cause", "agent", "sure", "dry", "form_token"),
}
_QUERIES: Final[dict[str, tuple[str, ...]]] = {
    "/": ("span",),
    "/conversations": ("where",),
    "/dead-letters": ("cause", "agent"),
    "/search": ("q",),
}
_ANSWERS: Final[dict[str, tuple[int, ...]]] = {
    "/livez": (200, 503),
    "/readyz": (200, 503),
    "/health": (200, 503),
    "/version": (200,),
    "/metrics": (200,),
    "/wake": (204, 401, 403, 429),
    "/static/<path:filename>": (200, 304, 404, 416),
}
_OF_AGENTS: Final = (200, 400, 401, 403, 404, 409, 413, 422, 429, 502, 503)
_OF_PAGES: Final = (200, 400, 404, 421, 503)
_OF_FORMS: Final = (200, 302, 400, 401, 403, 404, 413, 415, 421, 429, 503)


def describe(app: Flask, *, version: str) -> dict[str, Any]:
    """Describe every route of an app.

    Raises:
        KeyError: A route is not known here: say what it takes and answers.
    """
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: one.rule):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            paths.setdefault(path, {})[method.lower()] = _operation(rule.rule, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mission Control dispatcher",
            "version": version,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "turn": {"type": "apiKey", "in": "header", "name": HEADER},
                "console": {"type": "http", "scheme": "bearer"},
            }
        },
    }


def _operation(rule: str, method: str) -> dict[str, Any]:
    tools = {f"/agent/{tool.path}": tool for tool in EVERY_TOOL.values()}
    if rule in tools:
        return _of_agent(tools[rule])
    if rule in _ANSWERS:
        wants_token: dict[str, Any] = {"security": [{"console": []}]} if rule == "/wake" else {}
        return _with_answers(_ANSWERS[rule], "*/*") | _parameters(rule) | wants_token
    if method == "POST":
        return _of_form(rule)
    answers = (*_OF_PAGES, 302) if rule == "/search" else _OF_PAGES
    return _with_answers(answers, _HTML) | _parameters(rule)


def _of_agent(tool: Tool) -> dict[str, Any]:
    return {
        "summary": tool.does,
        "security": [{"turn": []}],
        "requestBody": {"required": True, "content": {_JSON: {"schema": tool.parameters}}},
        **_with_answers(_OF_AGENTS, _JSON),
    }


def _of_form(rule: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict.fromkeys(_FORMS[rule], _TEXT)}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    is_open = rule in {"/sign-in", "/sign-out"}
    return {
        "requestBody": {"content": content},
        **({} if is_open else {"security": [{"console": []}]}),
        **_with_answers(_OF_FORMS, _HTML),
    }


def _parameters(rule: str) -> dict[str, Any]:
    names: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in re.findall(r"<(?:\w+:)?(\w+)>", rule)
    ]
    names += [{"name": name, "in": "query", "schema": _TEXT} for name in _QUERIES.get(rule, ())]
    return {"parameters": names} if names else {}


def _with_answers(statuses: tuple[int, ...], kind: str) -> dict[str, Any]:
    return {"responses": dict(_answers(statuses, kind))}


def _answers(statuses: tuple[int, ...], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for status in statuses:
        answer: dict[str, Any] = {"description": f"HTTP {status}"}
        if status not in {204, 302, 304}:
            answer["content"] = {one: {} for one in sorted({kind, _JSON})}
        yield str(status), answer


def whole_app() -> Flask:
    """Build the app as the runtime does, with nothing behind it: only its routes are looked at."""
    nothing: Any = None
    clock = MachineClock()
    agents = AgentSide(
        read_pass=nothing, actions=nothing, directory=nothing, tally=nothing, clock=clock,
        budget=Budget(clock),
    )  # fmt: skip
    console = ConsoleSide(
        survey=nothing, mailboxes=nothing, records=nothing, controls=nothing, roster=nothing,
        backend=nothing, clock=clock, limits=Limits(), version="", account="", token=None,
        hosts=(), sandbox=None,
    )  # fmt: skip
    return build_app(
        nothing, registry=CollectorRegistry(), wake=lambda: None, console=console, agents=agents
    )


def text() -> str:
    """Return the document as it stands in ``ops/openapi.json``."""
    return json.dumps(describe(whole_app(), version="1"), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
