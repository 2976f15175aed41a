"""Who may do what over HTTP: every endpoint against every kind of caller."""

from typing import Any

import pytest
import redis
from flask import Flask
from pydantic import SecretStr

from dispatcher.adapters.redis.passes import RedisPasses
from dispatcher.adapters.turn_passes import TurnPasses
from dispatcher.adapters.turn_tokens import TokenRefused, TurnTokens
from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.ids import SessionKey, TaskId
from dispatcher.domain.notification import Flags
from dispatcher.domain.tools import Tool
from dispatcher.web.agents import HEADER
from tests.house import House
from tests.samples import ENGINEER, LEAD, TASK
from tests.web.agent_site import LIFE, AgentSite, rights
from tests.web.sample_site import BEARER, Site, sign_in

TOOLS = sorted(EVERY_TOOL.values(), key=lambda tool: tool.path)
OF_THE_LEAD = [tool for tool in TOOLS if tool.is_for_lead]
SESSION = "task:t:agent:e:acc:v1"
STRANGERS = ("8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8", "172.32.0.1", "", "nonsense")
NEIGHBOURS = (
    "127.0.0.1",
    "::1",
    "10.1.2.3",
    "172.20.0.5",
    "192.168.1.9",
    "::ffff:10.0.0.1",
    "fd00::5",
)
BY_FLAG = {
    "task-status": "can_modify_task_status",
    "task-update": "can_modify_task_status",
    "task-create": "can_create_tasks",
    "document": "can_create_documents",
    "response-request": "can_mention_agents",
}
NO_FLAGS = Flags(
    can_create_tasks=False, can_modify_task_status=False, can_create_documents=False,
    can_mention_agents=False, can_review_tasks=False, can_mark_done=False,
)  # fmt: skip


def named(tool: Tool) -> str:
    return tool.path


@pytest.fixture
def site() -> AgentSite:
    return AgentSite()


def body_of(tool: Tool) -> dict[str, Any]:
    """The least that a tool takes."""
    special = {"taskId": TASK, "recipientSlugs": ["writer"], "assigneeSlugs": ["writer"]}
    samples = {"string": "text", "number": 1, "array": ["writer"], "object": {}}
    return {
        name: special.get(name)
        or tool.properties[name].get("enum", [samples[tool.properties[name]["type"]]])[0]
        for name in tool.required
    }


def forged() -> str:
    clock = AgentSite().clock
    return TurnTokens(SecretStr("x" * 32), life=LIFE, clock=clock).mint(
        rights(lead=True, done=True), SessionKey(SESSION)
    )


def expired(site: AgentSite) -> str:
    token = site.token(rights(lead=True, done=True))
    site.clock.advance(2 * LIFE)
    return token


@pytest.mark.parametrize("tool", TOOLS, ids=named)
@pytest.mark.parametrize(
    "kind", ["none", "empty", "bare key", "forged", "expired", "cut", "longer"]
)
def test_without_a_good_token_nobody_does_anything(site: AgentSite, tool: Tool, kind: str) -> None:
    good = site.token(rights(lead=True, done=True))
    headers: dict[str, dict[str, str]] = {
        "none": {},
        "empty": {HEADER: "  "},
        "bare key": {HEADER: SESSION},
        "forged": {HEADER: forged()},
        "expired": {HEADER: expired(site) if kind == "expired" else ""},
        "cut": {HEADER: good[:-2]},
        "longer": {HEADER: good + "A"},
    }

    answer = site.post(tool.path, body_of(tool), token=None, headers=headers[kind])

    assert answer.status_code == 401
    assert set(answer.json) == {"success", "error"}
    assert SESSION not in answer.text
    assert site.did_nothing


@pytest.mark.parametrize("tool", TOOLS, ids=named)
@pytest.mark.parametrize("address", STRANGERS)
def test_from_outside_not_even_a_good_token_helps(
    site: AgentSite, tool: Tool, address: str
) -> None:
    token = site.token(rights(lead=True, done=True))
    claims = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Real-IP": "127.0.0.1",
        "Forwarded": "for=127.0.0.1",
    }

    answer = site.post(tool.path, body_of(tool), token=token, address=address, headers=claims)

    assert answer.status_code == 403
    assert site.did_nothing


@pytest.mark.parametrize("tool", TOOLS, ids=named)
@pytest.mark.parametrize("address", NEIGHBOURS)
def test_a_neighbour_with_a_good_token_is_let_in(site: AgentSite, tool: Tool, address: str) -> None:
    token = site.token(rights(lead=True, done=True))

    answer = site.post(tool.path, body_of(tool), token=token, address=address)

    assert answer.status_code not in {401, 403, 500}, answer.text


@pytest.mark.parametrize("tool", OF_THE_LEAD, ids=named)
def test_what_is_the_leads_is_nobody_elses(site: AgentSite, tool: Tool) -> None:
    answer = site.post(tool.path, body_of(tool), token=site.token(rights(done=True)))

    assert answer.status_code == 403
    assert site.did_nothing


@pytest.mark.parametrize("path", sorted(BY_FLAG))
def test_a_flag_that_is_off_closes_its_endpoints_for_leads_too(site: AgentSite, path: str) -> None:
    tool = next(tool for tool in TOOLS if tool.path == path)
    token = site.token(rights(lead=True, flags=NO_FLAGS))

    answer = site.post(path, body_of(tool), token=token)

    assert answer.status_code == 403
    assert site.did_nothing


@pytest.mark.parametrize("tool", TOOLS, ids=named)
def test_whoever_calls_acts_as_the_agent_of_the_token_whatever_the_body_says(
    site: AgentSite, tool: Tool
) -> None:
    """Another agent's name, account or rights in the body change nothing.

    One tool may ask for another agent: whose skills are wanted is no secret.
    """
    lies = {
        "agentId": LEAD, "accountId": "other", "serviceToken": "x", "isOrchestrator": True,
        "rights": {"lead": True}, "sessionKey": "task:x:agent:lead:acc:v1",
    }  # fmt: skip

    lies = {name: lie for name, lie in lies.items() if name not in tool.properties}
    answer = site.post(tool.path, body_of(tool) | lies)

    assert (answer.status_code == 403) == tool.is_for_lead
    for call in site.actions.calls:
        assert "other" not in str(call)
        assert LEAD not in str(call)


def test_a_token_of_one_task_is_no_token_of_another() -> None:
    """Where a turn has no task, what needs one cannot be done."""
    site = AgentSite()
    token = site.token(rights(task=None))

    answer = site.post(
        "response-request", {"recipientSlugs": ["writer"], "message": "a"}, token=token
    )

    assert answer.status_code in {400, 403, 422}
    assert site.did_nothing
    assert site.tokens.read(site.token(rights(task=TaskId("t2")))).rights.task == "t2"


def test_tokens_of_other_keys_and_forms_are_refused_by_the_reader_itself(site: AgentSite) -> None:
    for given in ("", "turn_", "turn_.", "turn_a.b.c", forged(), "turn_" + "A" * 5_000):
        with pytest.raises(TokenRefused):
            site.tokens.read(given)
    assert site.tokens.read(site.token()).rights.agent == ENGINEER


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("tool", TOOLS, ids=named)
def test_a_bare_session_key_is_good_only_where_that_is_allowed(
    redis_client: redis.Redis, tool: Tool, is_on: bool
) -> None:
    """And only for a session that has had a turn."""
    site = AgentSite()
    store = RedisPasses(redis_client, "mission-control:{acc}:")
    passes = TurnPasses(
        site.tokens, base_url="", has_client_tools=True, legacy=store if is_on else None
    )
    site.serve(passes.read)
    store.remember(rights(lead=True, done=True), SessionKey(SESSION))

    known, unknown = (
        site.post(tool.path, body_of(tool), token=None, headers={HEADER: key})
        for key in (SESSION, SESSION.replace("v1", "v2"))
    )

    assert unknown.status_code == 401
    assert (known.status_code not in {401, 403}) == is_on
    assert is_on or site.did_nothing


# The console, and what else is written with POST


def writes_of(app: Flask) -> set[str]:
    return {rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}


STEERED = {"/steer/pause", "/steer/resume", "/steer/revive", "/steer/discard", "/steer/ask"}
SIGNING = {"/sign-in", "/sign-out"}


def test_there_is_no_write_that_this_matrix_does_not_know(site: AgentSite) -> None:
    agents = {f"/agent/{tool.path}" for tool in TOOLS}

    assert writes_of(site.client.application) == STEERED | SIGNING | {"/wake"} | agents
    assert writes_of(Site().app(sandbox=("http://127.0.0.1:1", "acc"))) == (
        STEERED | SIGNING | {"/wake", "/sandbox/messages"}
    )


@pytest.mark.parametrize("path", sorted(STEERED | {"/wake"}))
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "bearer console-token"}, 401),
        ({"Authorization": "Basic console-token"}, 401),
        ({"Authorization": "Bearer console-token "}, 401),
        ({"X-Console-Token": "console-token"}, 401),
        ({"Cookie": "console=console-token"}, 401),
    ],
)
def test_a_write_wants_the_console_token(
    site_with_house: Site, path: str, headers: dict[str, str], status: int
) -> None:
    answer = site_with_house.client().post(path, data={"what": "all"}, headers=headers)

    assert answer.status_code == status
    assert "console-token" not in answer.text
    assert site_with_house.wakes == []


@pytest.mark.parametrize("path", sorted(STEERED | SIGNING))
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_writes_nothing_in_an_operators_name(
    site_with_house: Site, path: str, headers: dict[str, str]
) -> None:
    client = site_with_house.client()
    token = sign_in(client)
    data = {"what": "all", "form_token": token, "token": "console-token"}

    assert client.post(path, data=data, headers=headers).status_code == 403


@pytest.mark.parametrize("path", sorted(STEERED | {"/wake"}))
def test_without_a_console_token_every_write_is_off(site_with_house: Site, path: str) -> None:
    for headers in ({}, BEARER, {"Authorization": "Bearer "}):
        answer = site_with_house.client(token=None).post(path, headers=headers)
        assert answer.status_code == 403


@pytest.fixture
def site_with_house(house: House) -> Site:
    return Site(house)
