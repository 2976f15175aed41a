"""The human side over HTTP, for other processes on this machine and nobody else."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from dispatcher.sandbox.backend.errors import FunctionError, HumanError, refuse_person
from dispatcher.sandbox.backend.faults import Faults
from dispatcher.sandbox.backend.human.world import OPERATIONS, World
from dispatcher.sandbox.backend.store import Doc
from dispatcher.sandbox.backend.wakers import http_waker
from dispatcher.sandbox.backend.wire import Answer

PREFIX: Final = "/human/"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
_LOOKS: Final = frozenset({"threads", "ledger", "progress"})
_WRONG_ARGUMENTS: Final = (
    HumanError,
    FunctionError,
    TypeError,
    ValueError,
    KeyError,
    AttributeError,
    sqlite3.Error,
)


class HumanSide:
    """Answers requests below ``/human/``."""

    def __init__(self, world: World, faults: Faults, wakers: list[Callable[[], None]]) -> None:
        self._world = world
        self._faults = faults
        self._wakers = wakers
        self._listeners: dict[str, Callable[[], None]] = {}

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request.

        A page of another site can make a browser send requests here, so a request must name this
        machine as its host and must not come from a page of another one.
        """
        if not _is_local(headers):
            return _json(HTTPStatus.FORBIDDEN, {"error": "only from this machine"})
        url = urlsplit(target)
        try:
            result = self._result(method, url.path.removeprefix(PREFIX), url.query, body)
        except _WRONG_ARGUMENTS as error:
            return _json(HTTPStatus.BAD_REQUEST, {"error": f"{error}" or type(error).__name__})
        return _json(HTTPStatus.OK, result)

    def _result(self, method: str, name: str, query: str, body: bytes) -> object:
        match method, name:
            case "GET", "faults":
                return self._faults.struck()
            case "GET", _ if name in _LOOKS:
                return self._run(name, dict(parse_qsl(query)))
            case "DELETE", "faults":
                self._faults.clear()
            case "POST", "faults":
                self._faults.add(**_arguments(body))
            case "POST", "wakers":
                self._register(**_arguments(body))
            case "POST", _ if name in OPERATIONS:
                return self._run(name, _arguments(body))
            case _:
                refuse_person(f"no operation {method} {name}")
        return None

    def _register(self, url: str, token: str) -> None:
        """Add a listener; one that comes again, as after a restart, takes its old place."""
        waker = http_waker(url, token)
        old = self._listeners.pop(url, None)
        if old in self._wakers:
            self._wakers.remove(old)
        self._listeners[url] = waker
        self._wakers.append(waker)

    def _run(self, name: str, arguments: Doc) -> object:
        operation: Callable[..., object] = getattr(self._world, name)
        return operation(**arguments)


def _arguments(body: bytes) -> Doc:
    arguments = json.loads(body or b"{}")
    if not isinstance(arguments, dict):
        refuse_person("send a JSON object")
    return arguments


def _is_local(headers: Mapping[str, str]) -> bool:
    origin = headers.get("Origin")
    if origin is not None and _host(origin) not in _LOOPBACK:
        return False
    return _host(f"//{headers.get('Host', '')}") in _LOOPBACK


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _json(status: HTTPStatus, value: object) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False).encode())
