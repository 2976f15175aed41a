"""The harness of the real gateway does what process tests need of it.

One gateway serves all tests here, each with sessions of its own: a start costs half a minute.
"""

import time

import httpx
import pytest

from tests.gateway.harness import RealGateway
from tests.gateway.install import HOME, ensure_installed
from tests.gateway.model import Manner
from tests.gateway.model import text_of as model_text_of

# The first test of a machine also pays for the installation.
pytestmark = [pytest.mark.gateway, pytest.mark.timeout(300)]

TOOL = {
    "type": "function",
    "name": "task_status",
    "description": "Set the status",
    "parameters": {"type": "object", "properties": {"status": {"type": "string"}}},
}


def ask(gateway, text, key, **more):
    began = time.monotonic()
    agent = key.split(":")[1]
    body = {"model": f"openclaw/{agent}", "input": text, **more}
    response = gateway.post(body, session_key=key)
    print(f"\n{key}: {response.status_code} after {time.monotonic() - began:.2f} s")
    return response


def text_of(response):
    assert response.status_code == 200, response.text
    return "".join(
        part["text"]
        for item in response.json()["output"]
        if item["type"] == "message" and item.get("phase") != "commentary"
        for part in item["content"]
    )


def test_a_second_installation_finds_the_first():
    first = ensure_installed()
    began = time.monotonic()

    assert ensure_installed() == first
    assert time.monotonic() - began < 1
    assert first.node.is_relative_to(HOME)


def test_the_gateway_becomes_ready_and_knows_its_agents(gateway):
    headers = {"Authorization": f"Bearer {gateway.token}"}
    listed = httpx.get(f"{gateway.url}/v1/models", headers=headers).json()["data"]

    assert httpx.get(f"{gateway.url}/readyz").json()["ready"] is True
    assert {"openclaw/engineer", "openclaw/writer"} <= {model["id"] for model in listed}


def test_a_turn_is_answered_with_the_text_of_the_agents_own_model(gateway, model):
    response = ask(gateway, "[[reply:all fine]] how is it?", "agent:engineer:task:t1")
    warm = ask(gateway, "hello again", "agent:engineer:task:t1")

    assert text_of(response) == "all fine"
    assert text_of(warm) == "Done: hello again"
    # Other tests have asked the same agent, some of them for failures.
    mine = [row for row in model.ledger("engineer") if "how is it?" in row["text"]]
    assert [row["outcome"] for row in mine] == ["answered"]


def test_a_tool_makes_its_round_trip(gateway):
    key = "agent:engineer:task:tool"
    marked = '[[tool:task_status {"status": "done"}]]'

    first = ask(gateway, f"please {marked}", key, tools=[TOOL])
    calls = [item for item in first.json()["output"] if item["type"] == "function_call"]
    assert [call["name"] for call in calls] == ["task_status"], first.text
    result = {
        "type": "function_call_output",
        "call_id": calls[0]["call_id"],
        "output": "task_status: it is done now",
    }
    second = ask(gateway, [result], key, tools=[TOOL])

    assert calls[0]["arguments"] == '{"status":"done"}'
    assert "it is done now" in text_of(second)


def test_a_wrong_token_is_refused_without_a_response_object(gateway):
    response = gateway.post({"model": "openclaw/engineer", "input": "hello"}, token="wrong")

    assert response.status_code == 401
    assert response.json() == {"error": {"message": "Unauthorized", "type": "unauthorized"}}


def test_an_error_of_the_provider_comes_as_a_response_object(gateway, model):
    # An agent that no other test uses: its provider key rests for a while afterwards.
    model.behave("outcast", Manner(status=401))

    response = ask(gateway, "hello", "agent:outcast:task:t1")

    assert response.status_code == 401
    assert response.json()["status"] == "failed"
    assert response.json()["error"]["code"] == "authentication_error"


def test_a_run_is_cut_when_its_client_goes_away(gateway, model):
    key = "agent:engineer:task:cut"
    body = {"model": "openclaw/engineer", "input": "[[delay:60]] think"}
    ask(gateway, "warm up", key)  # a cold agent may need longer than the client waits below
    known = len(model.ledger("engineer"))

    with pytest.raises(httpx.ReadTimeout):
        gateway.post(body, session_key=key, timeout_s=4)

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and model.ledger("engineer")[-1]["outcome"] == "running":
        time.sleep(0.05)
    assert [row["outcome"] for row in model.ledger("engineer")[known:]] == ["cut"]


@pytest.mark.timeout(600)
def test_sessions_survive_a_kill_and_a_clean_end(model, tmp_path):
    key = "agent:engineer:task:lasting"
    gateway = RealGateway(tmp_path / "gateway", model_url=model.url)
    with gateway:
        ask(gateway, "remember the blue door", key)
        gateway.kill()
        assert not gateway.is_running()
        gateway.start_again()
        print(f"\nready again after {gateway.started_in_s:.1f} s")
        assert text_of(ask(gateway, "what was it?", key)) == "Done: what was it?"
        gateway.terminate()
        began = time.monotonic()
        assert gateway.wait(60) is not None
        print(f"\nended {time.monotonic() - began:.1f} s after SIGTERM")

    seen = [model_text_of(message) for message in model.ledger("engineer")[-1]["messages"]]
    assert any("remember the blue door" in text for text in seen)
