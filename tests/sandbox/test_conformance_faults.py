"""Item 19 of the backend's contract: everything that can go wrong, on request."""

import http.client
import json
import re
import threading
import time

import pytest

REDACTED = re.compile(r"\[Request ID: [^\]]+\] Server Error")


def credentials(office):
    return {"accountId": office.account, "serviceToken": office.token}


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("429", 429, "TooManyConcurrentRequests"),
        ("503_queue", 503, "ExpiredInQueue"),
        ("500", 500, "InternalServerError"),
        ("408", 408, None),
        ("502_html", 502, None),
    ],
)
def test_019_http_faults_strike_without_running_anything(office, kind, status, code):
    office.backend.faults.add("createMessageFromAgent", kind=kind)
    args = {**credentials(office), "agentId": office.engineer, "taskId": office.task()}
    body = json.dumps(
        {"path": "service/actions:createMessageFromAgent", "args": {**args, "content": "x"}}
    ).encode()

    got, _, raw = office.client.request(
        "POST", "/api/action", body, Content_Type="application/json"
    )

    assert got == status
    assert code is None or json.loads(raw)["code"] == code
    assert kind != "408" or raw == b""
    assert kind != "502_html" or raw.startswith(b"<html>")
    assert office.rows("messages") == []
    assert office.reply(office.task())


@pytest.mark.parametrize(("kind", "messages"), [("drop_before", 0), ("drop_after_commit", 1)])
def test_019_a_connection_is_dropped_before_or_after_the_commit(office, kind, messages):
    task = office.task()
    office.backend.faults.add("*", kind=kind)

    with pytest.raises((http.client.HTTPException, OSError)):
        office.reply(task)

    assert len(office.rows("messages")) == messages


def test_019_delays_faults_later_and_function_errors(office):
    faults = office.backend.faults
    faults.add("listAgents", kind="write_conflict", after=1, times=2)
    faults.add("getPendingUpgrade", kind="delay", delay_s=0.05)
    faults.add("getOrchestratorAgentId", kind="redacted")

    assert office.call("listAgents")
    for _ in range(2):
        assert "changed while this mutation was being run" in office.error("listAgents")
    assert office.call("listAgents")
    begun = time.monotonic()
    office.call("getPendingUpgrade")
    assert time.monotonic() - begun >= 0.05
    assert REDACTED.fullmatch(office.error("getOrchestratorAgentId"))


def test_019_faults_can_be_forgotten_and_unknown_ones_are_refused(office):
    office.backend.faults.add(kind="500", times=9)
    office.backend.faults.clear()

    assert office.call("listAgents")
    with pytest.raises(ValueError, match="unknown fault"):
        office.backend.faults.add(kind="nothing")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("too_many", "Uncaught Error: Uncaught Error: Too many concurrent requests in a short"),
        ("internal", "Your request couldn't be completed. Try again later."),
        ("paused", "Server Error\nCannot run functions while this deployment is paused."),
    ],
)
def test_019_overload_and_pauses_are_function_errors(office, kind, text):
    office.backend.faults.add(kind=kind)

    assert text in office.error("listAgents")


@pytest.mark.parametrize(
    ("kind", "status"), [("500", 500), ("408", 408), ("502_html", 502), ("503_overload", 503)]
)
def test_019_an_answer_can_be_spoilt_after_the_commit(office, kind, status):
    args = {**credentials(office), "agentId": office.engineer, "taskId": office.task()}
    message = {"path": "service/actions:createMessageFromAgent", "args": {**args, "content": "x"}}
    office.backend.faults.add(kind=f"{kind}_after_commit")

    body, headers = json.dumps(message).encode(), {"Content_Type": "application/json"}

    assert office.client.request("POST", "/api/action", body, **headers)[0] == status
    assert len(office.rows("messages")) == 1


def test_a_stopped_backend_cuts_its_connections(office):
    office.call("listAgents")
    office.backend.stop()

    with pytest.raises((http.client.HTTPException, OSError)):
        office.call("listAgents")


def test_requests_run_side_by_side(office):
    """A slow call must not hold up the others."""
    office.backend.faults.add("getPendingUpgrade", kind="delay", delay_s=3)
    slow = threading.Thread(target=_pending, args=(office,))
    slow.start()

    begun = time.monotonic()
    office.call("getOrchestratorAgentId")
    took = time.monotonic() - begun
    slow.join()

    assert took < 2


def _pending(office):
    url = office.backend.url.removeprefix("http://")
    connection = http.client.HTTPConnection(url, timeout=5)
    message = {"path": "service/actions:getPendingUpgrade", "args": credentials(office)}
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/api/action", json.dumps(message), headers)
    connection.getresponse().read()
    connection.close()
