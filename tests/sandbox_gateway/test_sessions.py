"""Order, parallel runs, clients that go away, and the gateway's own comings and goings."""

import http.client
import json
import os
import threading
import time

import httpx
import pytest

from dispatcher.sandbox.gateway.ledger import overlaps
from tests.sandbox_gateway.conftest import reply_of, wait_until

KEY = "agent:engineer:task:t1"


def ask_and_leave(client, text, key=KEY):
    """Ask, and close the connection as soon as the run has begun."""
    host = client.gateway.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    known = len(client.gateway.ledger())
    body = json.dumps(client.body(text))
    connection.request("POST", "/v1/responses", body, {"x-openclaw-session-key": key})
    wait_until(lambda: len(client.gateway.ledger()) > known)
    wait_until(lambda: client.gateway.ledger()[known]["session_key"] is not None)
    time.sleep(0.05)
    connection.close()


def outcomes(client):
    return [row["outcome"] for row in client.gateway.ledger()]


def is_running(client) -> bool:
    """Say whether the first ask has its place; it stands in the ledger before."""
    rows = client.gateway.ledger()
    return bool(rows) and rows[0]["started_at"] is not None


def test_one_session_runs_one_ask_at_a_time_in_order_of_arrival(start, background):
    client = start(delay_s=1)

    for number in range(4):
        background(client.ask, f"ask {number}")
        wait_until(lambda want=number + 1: len(client.gateway.ledger()) == want)
    assert client.gateway.wait_until_idle(20)

    rows = client.gateway.ledger()
    starts = [row["started_at"] for row in rows]
    assert starts == sorted(starts)
    assert overlaps(rows) == []
    assert [row["seq"] for row in client.gateway.contended()] == [2, 3, 4]
    assert client.gateway.contended()[-1]["behind"][-1] == 3


def test_asking_again_after_the_answer_is_no_contention(start):
    client = start()

    for _ in range(30):
        client.ask("hello")

    assert client.gateway.contended() == []


def test_overlapping_runs_would_be_found():
    def row(seq, started_at, ended_at, key=KEY):
        return {
            "seq": seq,
            "session_key": key,
            "started_at": started_at,
            "ended_at": ended_at,
        }

    rows = [row(1, 0, 5), row(2, 1, 2), row(3, 4, None), row(4, 6, 7), row(5, 0, 9, "other")]

    assert overlaps([*rows, row(6, None, None)]) == [(1, 2), (1, 3), (3, 4)]


def test_different_sessions_run_in_parallel_up_to_the_limit(start, background):
    client = start(delay_s=0.2, max_concurrent=2)
    threads = [background(client.ask, "hello", key=f"agent:engineer:{n}") for n in range(4)]
    for thread in threads:
        thread.join()

    rows = sorted(client.gateway.ledger(), key=lambda row: row["started_at"])
    assert rows[1]["started_at"] < rows[0]["ended_at"]
    assert rows[2]["started_at"] >= min(rows[0]["ended_at"], rows[1]["ended_at"])
    assert client.gateway.contended() == []


def test_a_client_that_goes_away_aborts_its_run_at_once(client):
    ask_and_leave(client, "[[hang]]")

    wait_until(lambda: outcomes(client) == ["aborted"], 5)
    row = client.gateway.ledger()[0]
    assert row["http_status"] is None
    assert row["ended_at"] is not None


def test_the_last_aborted_text_is_put_in_front_of_the_next_turn_once(client):
    ask_and_leave(client, "[[hang]] oldest text")
    ask_and_leave(client, "[[hang]] old text")
    client.ask("new text")
    client.ask("third text")

    seen = [row["seen_text"] for row in client.gateway.ledger()]
    assert seen[2] == (
        "[Queued user message from a previous active turn; preserved as context only. "
        "Continue with the active prompt below.]\n[[hang]] old text\n\nnew text"
    )
    assert seen[3] == "third text"
    assert client.gateway.ledger()[2]["input_text"] == "new text"
    assert client.gateway.contended() == []


def test_an_ask_that_is_still_queued_never_runs_once_its_client_is_gone(start, background):
    client = start(delay_s=2)
    background(client.ask, "first")
    wait_until(lambda: is_running(client))
    ask_and_leave(client, "second")
    reply = reply_of(client.ask("third"))

    row = client.gateway.ledger()[1]
    assert (row["outcome"], row["started_at"]) == ("aborted", None)
    assert reply == "Done: third"


def test_a_draining_gateway_finishes_what_runs_and_refuses_the_rest(client, background):
    answers = []
    background(lambda: answers.append(client.ask("[[delay:2]] finish me")))
    wait_until(lambda: is_running(client))
    client.gateway.drain()
    refused = client.ask("too late")

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["error"]["type"] == "service_unavailable"
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json()["failing"] == ["gateway-draining"]
    assert client.get("/startupz").json()["status"] == "draining"
    wait_until(lambda: answers)
    assert reply_of(answers[0]) == "Done: finish me"
    client.gateway.drain(draining=False)
    assert client.ask("hello").status_code == 200


def test_a_gateway_that_is_away_breaks_and_refuses_connections_until_it_is_back(client, background):
    broken = []

    def hang():
        with pytest.raises(httpx.TransportError):
            client.ask("[[hang]]")
        broken.append(True)

    background(hang)
    wait_until(lambda: is_running(client))
    url = client.gateway.url
    client.gateway.refuse(True)

    wait_until(lambda: broken)
    with pytest.raises(httpx.ConnectError):
        client.ask("hello")
    client.gateway.refuse(False)
    assert client.gateway.url == url
    assert client.ask("hello").status_code == 200
    assert outcomes(client) == ["aborted", "answered"]


def test_a_stopped_gateway_can_start_again_on_its_port(start):
    client = start()
    url = client.gateway.url
    client.gateway.stop()
    client.gateway.start()

    assert client.gateway.url == url
    assert client.ask("hello").status_code == 200


def test_an_idle_connection_is_closed_and_reused_ones_are_not(start):
    client = start(keep_alive_s=0.2)
    host = client.gateway.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    for _ in range(2):
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        response.read()
    assert response.headers["Keep-Alive"] == "timeout=0.2"
    line = connection.sock

    assert line.recv(1) == b""
    connection.close()


def test_a_hundred_and_fifty_hanging_asks_cost_next_to_nothing(start):
    client = start(max_concurrent=200)
    host = client.gateway.url.removeprefix("http://")
    connections = [http.client.HTTPConnection(host, timeout=5) for _ in range(150)]
    for number, connection in enumerate(connections):
        key = {"x-openclaw-session-key": f"agent:engineer:{number}"}
        body = '{"model": "openclaw/engineer", "input": "[[hang]]"}'
        connection.request("POST", "/v1/responses", body, key)
    wait_until(lambda: sum(r["started_at"] is not None for r in client.gateway.ledger()) == 150)

    before = os.times()
    threading.Event().wait(0.5)
    after = os.times()
    for connection in connections:
        connection.close()

    assert (after.user + after.system) - (before.user + before.system) < 0.3
    wait_until(lambda: set(outcomes(client)) == {"aborted"})
