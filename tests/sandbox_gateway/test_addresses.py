"""Who answers, in which session, and who may ask."""

import httpx
import pytest


def outcome(response):
    return response.status_code, response.json().get("error", {}).get("message", "")


def test_the_key_decides_who_answers_and_is_lower_cased(client):
    client.ask("hello", key="agent:Writer:Task:T1")

    row = client.gateway.ledger()[0]
    assert (row["agent"], row["session_key"]) == ("writer", "agent:writer:task:t1")


@pytest.mark.parametrize("key", ["task:t1:agent:writer:v1", "plain", "agent::x", "agent:nope:x"])
def test_a_key_that_is_not_one_of_an_agent_is_a_nameless_error(client, key):
    assert outcome(client.ask("hello", key=key)) == (500, "internal error")


@pytest.mark.parametrize("key", ["subagent:x", "cron:x", "acp:x", "agent:writer:subagent:x"])
def test_a_reserved_key_is_refused(client, key):
    status, message = outcome(client.ask("hello", key=key))

    assert status == 400
    assert "cannot use reserved internal session namespaces." in message


@pytest.mark.parametrize(
    "model", ["openclaw/writer", "openclaw:writer", "agent:writer", " OpenClaw/Writer "]
)
def test_every_form_of_the_model_names_an_agent(client, model):
    client.post({"model": model, "input": "hello"}, session_key=None)

    assert client.gateway.ledger()[0]["agent"] == "writer"


def test_other_models_and_unknown_agents_are_refused(client):
    other = client.post({"model": "gpt-4o", "input": "hello"})
    unknown = client.post({"model": "openclaw/nobody", "input": "hello"})
    whoever = client.post({"model": "openclaw", "input": "hello"}, session_key=None)

    assert outcome(other)[1] == "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`."
    assert (unknown.status_code, whoever.status_code) == (400, 400)
    assert "no explicit owner" in whoever.text


def test_without_a_list_of_agents_any_will_do(start):
    client = start(agents=None)

    assert client.post(client.body("hi", "anybody"), session_key="agent:anybody:x").is_success


def test_user_and_previous_response_name_lasting_sessions(client):
    client.post(client.body("one", user="Mia"), session_key=None)
    first = client.post(client.body("two"), session_key=None).json()["id"]
    client.post(client.body("three", previous_response_id=first), session_key=None)

    keys = [row["session_key"] for row in client.gateway.ledger()]
    assert keys[0] == "agent:engineer:openresponses-user:mia"
    assert keys[1] == keys[2] != keys[0]


@pytest.mark.parametrize("given", [None, "Bearer wrong", "secret", "Basic secret"])
def test_only_the_token_opens_the_gateway(start, given):
    client = start(token="secret")

    refused = client.ask("hello", authorization=given)
    taken = client.ask("hello", authorization="Bearer secret")

    assert refused.status_code == 401
    assert refused.json() == {"error": {"message": "Unauthorized", "type": "unauthorized"}}
    assert taken.status_code == 200


def test_the_models_need_the_token_and_health_does_not(start):
    client = start(token="secret")

    assert client.get("/v1/models").status_code == 401
    listed = client.get("/v1/models", Authorization="Bearer secret").json()
    assert [m["id"] for m in listed["data"]][2:] == [
        "openclaw/engineer",
        "openclaw/writer",
        "openclaw/squad-lead",
    ]
    assert client.get("/healthz").json() == {"ok": True, "status": "live"}
    assert client.get("/startupz").json()["version"] == "2026.9.6"
    assert client.get("/readyz").json() == {"ready": True, "failing": []}


def test_routes_that_do_not_exist_say_so_as_the_gateway_does(client):
    url = client.gateway.url

    assert client.get("/v1/responses").status_code == 405
    assert httpx.delete(f"{url}/v1/responses", verify=False).status_code == 405
    assert client.get("/v1/responses/resp_1").status_code == 404
    assert httpx.post(f"{url}/elsewhere", json={}, verify=False).text == "Not Found"
    assert client.get("/elsewhere").headers["content-type"].startswith("text/html")


def test_the_sandbox_routes_are_closed_to_pages_of_strangers(client):
    own = client.gateway.url

    assert client.get("/sandbox/ledger", Host="evil.example").status_code == 404
    assert client.get("/sandbox/ledger", Origin="http://evil.example").status_code == 404
    assert client.get("/sandbox/ledger", Origin=own).json() == []
    assert client.get("/sandbox/contended").json() == []


def test_rules_can_be_set_from_another_process(client):
    url = f"{client.gateway.url}/sandbox/rules"

    assert httpx.post(url, json=[{"reply": "from outside"}], verify=False).is_success
    assert httpx.post(url, json=[{"replly": "x"}], verify=False).status_code == 400
    assert "from outside" in client.ask("hello").text
