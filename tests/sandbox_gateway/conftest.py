"""A scripted gateway for each test, and a client that asks it."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from dispatcher.sandbox.gateway.server import ScriptedGateway

FENCED = (
    "===== THREAD HISTORY START =====\n{history}\n===== THREAD HISTORY END =====\n"
    "===== REQUEST TO RESPOND TO START =====\n{text}\n"
    "===== REQUEST TO RESPOND TO END =====\nUse your tools.\n"
)


class Client:
    """Asks a gateway; one connection per ask, as a careful dispatcher does."""

    def __init__(self, gateway: ScriptedGateway) -> None:
        self.gateway = gateway

    def body(self, given: Any, agent: str = "engineer", **more: Any) -> dict[str, Any]:
        return {"model": f"openclaw/{agent}", "input": given, **more}

    def post(self, body: Any, *, timeout: float = 10, **headers: str | None) -> httpx.Response:
        named = {"session_key": "agent:engineer:task:t1", **headers}
        sent = {
            f"x-openclaw-{name.replace('_', '-')}": value
            for name, value in named.items()
            if value is not None and name != "authorization"
        }
        if headers.get("authorization"):
            sent["Authorization"] = headers["authorization"]
        kind = {"content": body} if isinstance(body, bytes) else {"json": body}
        # Loading the machine's certificates would take longer than the ask.
        url = f"{self.gateway.url}/v1/responses"
        return httpx.post(url, headers=sent, timeout=timeout, verify=False, **kind)

    def ask(self, text: str, key: str = "agent:engineer:task:t1", **more: Any) -> httpx.Response:
        return self.post(self.body(text), session_key=key, **more)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.gateway.url}{path}", headers=headers, verify=False)


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    """Start gateways with settings of the test's choice; all are stopped after it."""
    running: list[ScriptedGateway] = []

    def start(**settings: Any) -> Client:
        settings.setdefault("agents", ("engineer", "writer", "squad-lead"))
        running.append(ScriptedGateway(**settings).start())
        return Client(running[-1])

    yield start
    for gateway in running:
        gateway.stop()


@pytest.fixture
def client(start: Callable[..., Client]) -> Client:
    return start()


@pytest.fixture
def background() -> Iterator[Callable[..., threading.Thread]]:
    """Run calls beside the test, and wait for their end after it."""
    threads: list[threading.Thread] = []

    def run(function: Callable[..., object], *args: Any, **more: Any) -> threading.Thread:
        thread = threading.Thread(target=function, args=args, kwargs=more)
        threads.append(thread)
        thread.start()
        return thread

    yield run
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def wait_until(condition: Callable[[], object], limit_s: float = 5) -> None:
    """Wait on a condition with a deadline."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def reply_of(response: httpx.Response) -> str:
    """Return the final text of an answer."""
    assert response.status_code == 200, response.text
    return "".join(
        part["text"]
        for item in response.json()["output"]
        if item["type"] == "message" and item["phase"] == "final_answer"
        for part in item["content"]
    )
