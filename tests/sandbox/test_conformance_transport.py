"""Items 1 to 20 of the backend's contract: the wire."""

import json
import re

import pytest

from dispatcher.sandbox.backend.tables import NAMES
from dispatcher.sandbox.backend.wire import Style

PROBE = "service/actions:getOrchestratorAgentId"
REDACTED = re.compile(r"\[Request ID: [^\]]+\] Server Error")


def credentials(office):
    return {"accountId": office.account, "serviceToken": office.token}


def test_001_an_object_and_a_list_of_one_object_are_the_same(office):
    args = credentials(office)

    as_object = office.client.post({"path": PROBE, "args": args})
    as_list = office.client.post({"path": PROBE, "args": [args]})

    assert as_object == as_list == (200, as_list[1])
    assert as_list[1]["status"] == "success"


def test_002_success_has_a_value_even_when_it_is_null(office):
    body = office.body("getPendingUpgrade")

    assert body == {"status": "success", "value": None}


def test_003_a_throwing_action_is_a_200_with_a_text(office):
    status, body = office.client.post(
        {"path": PROBE, "args": {**credentials(office), "serviceToken": "x"}}
    )

    assert status == 200
    assert body["status"] == "error"
    assert isinstance(body["errorMessage"], str)
    assert "errorData" not in body


def test_004_development_tells_what_went_wrong(office):
    status, body = office.client.post(
        {"path": PROBE, "args": {**credentials(office), "serviceToken": "x"}},
        Convex_Request_Id="abc123",
    )

    assert status == 200
    assert body["errorMessage"].startswith("[Request ID: abc123] Server Error\nUncaught Error: ")
    assert "Invalid service token format" in body["errorMessage"]
    assert re.match(r"\[Request ID: [0-9a-f]{16}\] Server Error\n", office.error("listAgents", x=1))


def test_005_production_tells_nothing(office):
    office.backend.style = Style(redacted=True)
    office.backend.faults.add("listAgents", kind="write_conflict")
    wrongs = [
        office.body("getOrchestratorAgentId", serviceToken="x"),
        office.body("noSuchAction"),
        office.body("getOrchestratorAgentId", extra=1),
        office.body("createTaskFromAgent", agentId=office.engineer, title="x"),
        office.body("listAgents"),
    ]

    assert all(REDACTED.fullmatch(body["errorMessage"]) for body in wrongs)
    assert all("logLines" not in body for body in wrongs)


def test_006_function_errors_can_be_sent_as_560(office):
    office.backend.style = Style(as_560=True)

    status, body = office.client.post({"path": PROBE, "args": {}})

    assert (status, body["status"]) == (560, "error")


def test_007_numbers_have_a_fraction_and_unset_fields_are_absent(office):
    task = office.task()
    office.say(task, "@engineer look")
    message = {"path": "service/actions:listUndeliveredNotifications", "args": credentials(office)}

    _, _, raw = office.client.request(
        "POST", "/api/action", json.dumps(message).encode(), Content_Type="application/json"
    )

    row = json.loads(raw)["value"][0]
    assert re.search(rb'"createdAt": 1767225600000\.0\b', raw)
    assert re.search(rb'"_creationTime": \d+\.\d*[1-9]', raw)
    assert not row.keys() & {"readAt", "deliveredAt", "deliveryEndedAt"}
    assert b"null" not in raw


@pytest.mark.parametrize("headers", [{}, {"Content_Type": "text/plain"}])
def test_008_a_wrong_content_type_is_refused(client, headers):
    status, _, raw = client.request("POST", "/api/action", b"{}", **headers)

    assert (status, json.loads(raw)["code"]) == (400, "BadJsonBody")


def test_008_any_json_content_type_is_accepted(office):
    for content_type in ("application/json; charset=utf-8", "application/vnd.x+json"):
        message = {"path": PROBE, "args": credentials(office)}
        assert office.client.post(message, Content_Type=content_type)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"args": {}}',
        b'{"path": "a:b"}',
        b'{"path": 1, "args": {}}',
        b'{"path": "a:b", "args": "x"}',
        b'{"path": "a:b", "args": [{"x": NaN}]}',
        b'{"path": "a:b", "args": [{"x": "\\ud800"}]}',
        b'{"path": "a:b", "args": [{"x": "\xff"}]}',
    ],
)
def test_009_a_malformed_body_is_refused(client, body):
    status, answer = client.post(body)

    assert (status, answer["code"]) == (400, "BadJsonBody")


def test_010_a_body_that_is_too_large_is_refused(client):
    status, answer = client.post(b" " * 16_779_217)

    assert (status, answer["code"]) == (400, "BadJsonBody")


@pytest.mark.parametrize("path", ["bad path!:x", "a:b c", "a//b:c", f"{'a' * 65}:b"])
def test_011_an_unreadable_path_is_refused(client, path):
    status, answer = client.post({"path": path, "args": {}})

    assert (status, answer["code"]) == (400, "BadConvexFunctionIdentifier")


@pytest.mark.parametrize(
    "path", ["service/actions:nothing", "service/notifications:markDelivered", "service/actions"]
)
def test_012_unknown_and_internal_functions_look_alike(client, path):
    status, body = client.post({"path": path, "args": {}})

    assert status == 200
    assert f"Could not find public function for '{path}'." in body["errorMessage"]


def test_012_a_function_of_another_kind_is_named(client):
    _, body = client.post({"path": "messages:create", "args": {}})

    text = "Trying to execute messages.js:create as Action, but it is defined as Mutation."
    assert text in body["errorMessage"]


def test_013_wrong_arguments_are_told_apart(office):
    row = {"notificationId": office.engineer}
    wrongs = {
        "contains extra field `x`": office.error("listAgents", x=1),
        "missing the required field `notificationId`": office.error("markNotificationRead"),
        'Path: .limit\nValue: "1"\nValidator: v.': office.error(
            "listUndeliveredNotifications", limit="1"
        ),
        "Path: .limit\nValue: null": office.error("listUndeliveredNotifications", limit=None),
        "Path: .notificationId": office.error("markNotificationRead", notificationId="x"),
        "from table `agents`, which does not match": office.error("markNotificationRead", **row),
        "Path: .limit\nValue: 17n": office.error(
            "listUndeliveredNotifications", limit={"$integer": "EQAAAAAAAAA="}
        ),
    }

    for text, message in wrongs.items():
        assert "ArgumentValidationError: " in message
        assert text in message


@pytest.mark.parametrize("args", [[], [{}, {}], [3]])
def test_013_exactly_one_object_is_wanted(client, args):
    _, body = client.post({"path": PROBE, "args": args})

    assert "ArgumentValidationError: Expected to receive a" in body["errorMessage"]


def test_013_reserved_keys_cannot_be_arguments(office):
    text = office.error("listAgents", **{"$x": 1})

    assert "Invalid arguments for service/actions.js:listAgents:" in text


def test_014_arguments_are_checked_before_the_token(office):
    text = office.error("listAgents", serviceToken="wrong", x=1)

    assert "ArgumentValidationError" in text
    assert "Invalid service token" not in text


def test_015_the_text_about_an_extra_field_shows_the_token(office):
    text = office.error("listAgents", x=1)

    assert office.token in text
    assert 'Validator: v.object({accountId: v.id("accounts"), serviceToken: v.string()})' in text


def test_016_a_client_header_needs_a_version(office):
    message = {"path": PROBE, "args": credentials(office)}

    assert office.client.post(message)[0] == 200
    assert office.client.post(message, Convex_Client="openclaw-dispatcher-0.1.0")[0] == 200
    status, body = office.client.post(message, Convex_Client="nodash")
    assert (status, body["code"]) == (400, "InvalidClientVersion")


def test_017_the_token_is_no_bearer_token(office):
    office.task()
    message = {
        "path": "service/actions:createMessageFromAgent",
        "args": {
            **credentials(office),
            "agentId": office.engineer,
            "taskId": office.task(),
            "content": "x",
        },
    }

    status, _ = office.client.post(message, Authorization=f"Bearer {office.token}")

    assert status == 401
    assert office.rows("messages") == []


def test_018_an_unknown_format_is_refused_after_the_fact(office):
    args = {**credentials(office), "agentId": office.engineer, "taskId": office.task()}
    message = {
        "path": "service/actions:createMessageFromAgent",
        "args": {**args, "content": "said"},
        "format": "yaml",
    }

    status, body = office.client.post(message)

    assert (status, body["code"]) == (400, "BadFormat")
    assert [row["content"] for row in office.rows("messages")] == ["said"]


def test_020_other_methods_and_other_routes_are_empty_refusals(client):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/api/action")[0] == 405
    assert client.request("POST", "/api/nothing", b"{}")[0] == 404
    assert client.request("GET", "/")[::2] == (404, b"")


def test_table_numbers_are_unique():
    assert len(NAMES) == 14
