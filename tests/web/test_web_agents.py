"""``POST /agent/*``: nobody gets in who should not, and whoever does can do what its tools can."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from dispatcher.adapters.turn_tokens import TurnTokens
from dispatcher.domain import errors
from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.notification import Flags
from dispatcher.domain.redact import redact, without_turn_tokens
from dispatcher.web.agents import BODY_LIMIT, is_local
from tests.samples import TASK
from tests.web.agent_site import ALL, LIFE, AgentSite, rights

PATHS = [tool.path for tool in EVERY_TOOL.values()]
FOR_THE_LEAD = [tool.path for tool in EVERY_TOOL.values() if tool.is_for_lead]
NO_RIGHT = Flags(can_modify_task_status=False, can_create_documents=False, can_mention_agents=False)


@pytest.fixture
def site() -> AgentSite:
    return AgentSite()


# Who gets in


def test_there_are_the_sixteen_endpoints_of_old_and_one_for_the_history() -> None:
    assert sorted(PATHS) == sorted([
        "task-status", "task-update", "task-create", "task-assign", "response-request",
        "document", "document-list", "task-message", "task-list", "task-get", "task-thread",
        "task-search", "task-load", "get-agent-skills", "task-delete", "task-link-pr",
        "task-history",
    ])  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_item_122_only_post_is_served(site: AgentSite, path: str, method: str) -> None:
    answer = site.client.open(f"/agent/{path}", method=method)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [None, " "])
def test_item_123_without_the_header_nobody_gets_in(
    site: AgentSite, path: str, token: str | None
) -> None:
    answer = site.post(path, token=token)

    assert (answer.status_code, answer.json) == (
        401, {"success": False, "error": "Missing x-openclaw-session-key header"},
    )  # fmt: skip
    assert site.did_nothing


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "token",
    [
        "nonsense", "turn_", "turn_a.b.c", "task:t:agent:engineer:acc:v1", "turn_" + "a" * 5_000,
        "turn_é", "system:agent:squad-lead:acc:v1",
    ],
)  # fmt: skip
def test_item_124_what_we_did_not_sign_is_unknown(site: AgentSite, path: str, token: str) -> None:
    answer = site.post(path, token=token.encode().decode("latin-1"))

    assert answer.status_code == 401
    assert answer.json == {"success": False, "error": "Unknown session key"}


def test_a_token_that_was_changed_or_signed_by_somebody_else_is_unknown(site: AgentSite) -> None:
    mine, other = site.token(), AgentSite()
    head, stamp, signature = mine.removeprefix("turn_").rsplit(".", 2)
    lead = site.token(rights(lead=True)).removeprefix("turn_").rsplit(".", 2)[0]
    other.tokens = TurnTokens(SecretStr("x" * 32), life=LIFE, clock=other.clock)
    for forged in (
        f"turn_{lead}.{stamp}.{signature}",
        f"turn_{head}.{stamp}.{signature[:-2]}AA",
        f"turn_{head}.AAAA.{signature}",
        other.token(),
    ):
        assert site.post("task-load", {"taskId": TASK}, token=forged).status_code == 401
    assert site.post("task-load", {"taskId": TASK}, token=mine).status_code == 200


@pytest.mark.parametrize("flags", [NO_RIGHT, Flags(), ALL])
def test_a_token_is_recognised_wherever_it_turns_up(site: AgentSite, flags: Flags) -> None:
    """An agent may repeat what it was told, and everybody reads its reply."""
    token = site.token(rights(flags=flags))

    for clean in (redact, without_turn_tokens):
        assert clean(f"use `{token}`, please") == "use `turn_***`, please"


def test_a_token_expires_with_its_turn_whatever_the_clocks_of_two_machines_say(
    site: AgentSite,
) -> None:
    """Two minutes are allowed for them to disagree."""
    token = site.token()

    site.clock.advance(LIFE + timedelta(minutes=1, seconds=58))
    assert site.post("task-load", {"taskId": TASK}, token=token).status_code == 200
    site.clock.advance(timedelta(seconds=4))
    late = site.post("task-load", {"taskId": TASK}, token=token)
    assert late.status_code == 401
    assert "expired" in late.json["error"]


def test_a_token_from_a_machine_whose_clock_is_ahead_is_good(site: AgentSite) -> None:
    ahead = AgentSite()
    ahead.clock.advance(timedelta(minutes=1))

    assert site.post("task-load", {"taskId": TASK}, token=ahead.token()).status_code == 200


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("", False), (None, False), ("::1", True), ("127.0.0.1", True), ("127.8.9.1", True),
        ("10.0.0.1", True), ("10.255.255.255", True), ("172.16.0.1", True),
        ("172.31.255.255", True), ("172.15.255.255", False), ("172.32.0.1", False),
        ("192.168.1.1", True), ("192.169.1.1", False), ("::ffff:127.0.0.1", True),
        ("::ffff:10.1.2.3", True), ("::ffff:8.8.8.8", False), ("8.8.8.8", False),
        ("169.254.1.1", False), ("fe80::1", False), ("2001:db8::1", False), ("fd00::1", True),
        ("256.0.0.1", False), ("10.0.0.256", False), ("nonsense", False), ("010.0.0.1", False),
    ],
)  # fmt: skip
def test_items_125_and_126_only_this_machine_and_private_networks_are_local(
    site: AgentSite, address: str | None, is_ours: bool
) -> None:
    assert is_local(address) is is_ours
    if address:
        answer = site.post("get-agent-skills", address=address)
        assert (answer.status_code == 200) is is_ours
        assert is_ours or answer.json["error"] == "Forbidden: endpoint is local-only"


def test_item_125_what_a_proxy_says_of_the_address_is_not_believed(site: AgentSite) -> None:
    forwarded = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}

    answer = site.post("get-agent-skills", address="8.8.8.8", headers=forwarded)

    assert answer.status_code == 403


# What is asked for


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b"3", b'"text"', b"\xff\xfe", b"[" * 100_000, b"NaN"]
)
def test_items_127_and_133_what_is_no_object_is_refused(
    site: AgentSite, path: str, body: bytes
) -> None:
    answer = site.post(path, body, token=site.token(rights(lead=True)))

    assert (answer.status_code, answer.json) == (
        400, {"success": False, "error": "Invalid JSON body"},
    )  # fmt: skip


@pytest.mark.parametrize("depth", [10, 500, 700, 900, 5_000])
def test_values_nested_too_deep_are_refused_or_left_out(site: AgentSite, depth: int) -> None:
    nest = b"[" * depth + b"]" * depth
    for body, expected in ((b'{"labels": %s, "title": "a"}', {422, 400}), (b'{"x": %s}', {400})):
        assert site.post("task-create", body % nest).status_code in expected
    assert site.did_nothing


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_does_not_matter(site: AgentSite, content_type: str | None) -> None:
    answer = site.post("get-agent-skills", b"{}", content_type=content_type)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("task-status", {}, 400, "Missing required fields: taskId, status"),
        ("task-status", {"taskId": 3, "status": "review"}, 422, "taskId must be of type string"),
        ("task-status", {"taskId": TASK, "status": "inbox"}, 422,
            "Invalid status: must be in_progress, review, done, or blocked"),
        ("task-update", {"taskId": TASK}, 400, "At least one field"),
        ("task-create", {"title": {}}, 422, "title must be of type string"),
        ("task-create", {"title": "a", "assigneeSlugs": ["writer"]}, 403,
            "Forbidden: Only the orchestrator can assign agents during task creation"),
        ("document", {"title": "a", "type": "note"}, 400,
            "Missing or invalid: title, content, and type "
            "(deliverable|note|template|reference) required"),
        ("document-list", {"type": "poem"}, 422,
            "Invalid type: must be deliverable, note, template, or reference"),
        ("task-load", {}, 400, "taskId is required"),
        ("task-history", {"taskId": None}, 400, "taskId is required"),
        ("response-request", {"recipientSlugs": [f"a{n}" for n in range(11)], "message": "a"}, 422,
            "Too many recipients: max 10 allowed per request"),
        ("response-request", {"recipientSlugs": ["writer"], "message": "a" * 1001}, 422,
            "Message too long: max 1000 characters allowed"),
    ],
)  # fmt: skip
def test_items_128_and_130_a_body_that_cannot_be_used_is_refused_in_words(
    site: AgentSite, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    """The table of all words is that of the tools: ``tests/unit/test_acts.py``."""
    answer = site.post(path, body)

    assert answer.status_code == status
    assert answer.json["success"] is False
    assert answer.json["error"].startswith(error)
    assert site.did_nothing


@pytest.mark.parametrize("path", FOR_THE_LEAD)
def test_item_129_what_is_the_leads_is_refused_before_the_body_is_read(
    site: AgentSite, path: str
) -> None:
    answer = site.post(path, b"{ not even JSON")

    assert answer.status_code == 403
    assert answer.json["error"].startswith("Forbidden: Only the orchestrator can ")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("task-status", {"taskId": TASK, "status": "review"}),
        ("task-update", {"taskId": TASK, "title": "a"}),
        ("task-create", {"title": "a"}),
        ("document", {"title": "a", "content": "b", "type": "note"}),
        ("response-request", {"recipientSlugs": ["writer"], "message": "a"}),
    ],
)
def test_a_flag_that_is_off_closes_the_endpoint_as_it_takes_the_tool(
    site: AgentSite, path: str, body: dict[str, Any]
) -> None:
    assert site.post(path, body).status_code == 200
    weak = site.token(rights(flags=NO_RIGHT))

    answer = site.post(path, body, token=weak)

    assert answer.status_code == 403
    assert "Forbidden" in answer.json["error"]


@pytest.mark.parametrize("path", ["task-status", "task-update"])
def test_item_135_closing_needs_the_right_and_review(site: AgentSite, path: str) -> None:
    body = {"taskId": TASK, "status": "done"}

    refused = site.post(path, body)

    assert refused.status_code == 403
    assert site.did_nothing
    assert site.post(path, body, token=site.token(rights(done=True))).status_code == 200


def test_item_132_a_change_tells_what_came_of_it_and_how_long_it_took(site: AgentSite) -> None:
    answer = site.post("task-status", {"taskId": TASK, "status": "review"})

    assert answer.json == {
        "success": True, "taskId": TASK, "requestedStatus": "review", "status": "review",
        "durationMs": 0,
    }  # fmt: skip
    assert site.tally.served == [("task_status", 200)]


@pytest.mark.parametrize("path", ["task-status", "task-update", "response-request"])
def test_the_task_of_the_turn_is_meant_unless_another_one_is_named(
    site: AgentSite, path: str
) -> None:
    body = {"status": "review", "recipientSlugs": ["writer"], "message": "a"}

    assert site.post(path, body).status_code == 200
    assert site.actions.calls[0][1] == TASK
    assert site.post(path, body, token=site.token(rights(task=None))).status_code == 403


# What the backend says

REDACTED = "getTask: refused without a reason"


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (errors.BackendRefused("updateTask: [Request ID: 9] Server Error Uncaught Error: Uncaught "
            "Error: Forbidden: Agent is not allowed at handler (../convex/x.ts:1:2)"), 403,
            "Forbidden: Agent is not allowed"),
        (errors.BackendRefused("loadTask: Uncaught Error: Not found: Task does not exist"), 404,
            "Not found: Task does not exist"),
        (errors.RowGone("loadTask: Not found: Task does not exist"), 404, ""),
        (errors.BackendRefused("x: Unauthorized: no"), 401, ""),
        (errors.BackendRefused("x: Invalid transition: Cannot move from 'a' to 'b'"), 422, ""),
        (errors.BackendRefused("x: Title too long (max 2000 characters)"), 422, ""),
        (errors.BackendUnavailable("x: cannot connect to the backend"), 503, ""),
        (errors.BackendUncertain("x: ReadTimeout"), 503, ""),
        (errors.CredentialsRejected("x: Invalid service token"), 503, ""),
        (errors.DeploymentOff("x: paused"), 503, ""),
        (errors.BackendRedacted(REDACTED), 502, "refused without a reason"),
        (errors.BackendGarbled("x: the answer is not JSON"), 502, ""),
        (errors.BackendMisused("x: HTTP 404"), 502, ""),
    ],
)  # fmt: skip
def test_item_131_every_failure_of_the_backend_has_its_status(
    site: AgentSite, error: errors.BackendError, status: int, told: str
) -> None:
    site.actions.failures = [error]

    answer = site.post("task-load", {"taskId": TASK})

    assert answer.status_code == status
    assert answer.json["success"] is False
    assert answer.json["error"] == told or not told
    assert "at handler" not in answer.json["error"]


def test_what_an_agent_wrote_does_not_choose_the_status(site: AgentSite) -> None:
    quoted = 'x: ArgumentValidationError: Value: "forbidden-fruit not found"'
    site.actions.failures = [errors.BackendRefused(quoted)]

    assert site.post("task-load", {"taskId": "forbidden-fruit"}).status_code == 422


@pytest.mark.parametrize("error", [errors.BackendUncertain("x: lost"), errors.BackendGarbled("x")])
@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        ("task-create", {"title": "Plan"}, [{"taskId": "t1", "title": "Plan"}]),
        ("document", {"title": "Plan", "content": "b", "type": "note"},
            [{"documentId": "document1", "title": "Plan"}]),
        ("task-message", {"taskId": TASK, "content": "Hello"}, [{"messageId": "m1"}]),
    ],
)  # fmt: skip
def test_a_creation_of_which_nobody_knows_is_told_with_what_was_found(
    site: AgentSite,
    error: errors.BackendError,
    path: str,
    body: dict[str, Any],
    found: list[dict[str, str]],
) -> None:
    """An agent that reads a plain failure would create it again."""
    site.actions.failures, site.actions.happens = [error], True

    answer = site.post(path, body, token=site.token(rights(lead=True)))

    # Clients repeat a 5xx by themselves, which this is to prevent.
    assert answer.status_code == 409
    assert answer.json["outcome"] == "unknown"
    assert answer.json["found"] == found
    assert "Check before you repeat it" in answer.json["error"]


def test_a_change_of_which_nobody_knows_may_be_repeated(site: AgentSite) -> None:
    site.actions.failures = [errors.BackendUncertain("x: lost")]

    answer = site.post("task-update", {"title": "a"})

    assert (answer.status_code, "outcome" in answer.json) == (503, False)


def test_slow_calls_of_agents_leave_room_for_others(site: AgentSite) -> None:
    """Health is served by the same threads."""
    while site.places.acquire(blocking=False):
        pass

    answer = site.post("get-agent-skills")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    site.places.release()
    assert site.post("get-agent-skills").status_code == 200
    assert site.post("task-load", {}).status_code == 400
    assert site.post("get-agent-skills").status_code == 200


def test_of_a_repeated_header_the_first_value_counts(site: AgentSite) -> None:
    """The server joins them with commas."""
    assert site.post("get-agent-skills", token=f"{site.token()}, nonsense").status_code == 200


def test_a_refusal_gives_no_secret_away(site: AgentSite) -> None:
    site.actions.failures = [errors.BackendRefused("x: mc_service_acc_topsecret is wrong")]

    assert "topsecret" not in site.post("task-load", {"taskId": TASK}).text


# Bounds


def test_item_134_a_body_that_is_too_large_is_refused(site: AgentSite) -> None:
    body = b'{"taskId": "' + b"a" * BODY_LIMIT + b'"}'

    answer = site.post("task-load", body)

    assert answer.status_code == 413
    assert answer.json["success"] is False


def test_a_large_document_is_no_trouble(site: AgentSite) -> None:
    body = {"title": "a", "content": "b" * 1_000_000, "type": "note"}

    assert site.post("document", body).status_code == 200


def test_a_session_that_calls_too_often_has_to_wait_and_the_others_have_not() -> None:
    site = AgentSite(calls=3)
    token = site.token()

    answers = [site.post("get-agent-skills", token=token) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["Retry-After"] == "60"
    other = site.token(session="task:other:agent:e:acc:v1")
    assert site.post("get-agent-skills", token=other).status_code == 200
    # A new token of the same session has no calls of its own.
    assert site.post("get-agent-skills", token=site.token()).status_code == 429
    site.clock.advance(timedelta(seconds=60))
    assert site.post("get-agent-skills", token=token).status_code == 200


def test_item_136_only_the_path_counts(site: AgentSite) -> None:
    assert site.post("get-agent-skills?x=1").status_code == 200
    lost = site.post("dance")
    assert lost.status_code == 404
    assert lost.json["success"] is False


def test_item_137_a_token_outlives_the_process_that_minted_it(site: AgentSite) -> None:
    """Worker and runtime derive the same key, and nothing is kept in memory."""
    again = replace(AgentSite(), clock=site.clock)

    assert again.post("get-agent-skills", token=site.token()).status_code == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted({name for tool in EVERY_TOOL.values() for name in tool.properties})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    body=st.dictionaries(st.sampled_from(NAMES), json_values, max_size=6),
    lead=st.booleans(),
)
def test_item_133_whatever_is_sent_is_answered_and_never_with_500(
    path: str, body: dict[str, Any], lead: bool
) -> None:
    site = AgentSite()

    answer = site.post(path, body, token=site.token(rights(lead=lead, done=True)))

    assert answer.status_code in {200, 400, 403, 422}
    assert isinstance(answer.json["success"], bool)
