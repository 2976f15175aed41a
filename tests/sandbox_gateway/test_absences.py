"""Troubles of the gateway that another process asks for, and that end by themselves."""

from contextlib import suppress

import httpx

from tests.waiting import until


def post(client, path: str, body: object) -> int:
    return httpx.post(f"{client.gateway.url}{path}", json=body, verify=False).status_code


def status_of(client) -> int | None:
    try:
        return client.get("/readyz").status_code
    except httpx.HTTPError:
        return None


def test_a_gateway_that_is_told_to_be_away_answers_goes_and_comes_back(client) -> None:
    assert post(client, "/sandbox/away", {"seconds": 2}) == 200

    until(lambda: status_of(client), lambda status: status is None)
    until(lambda: status_of(client), lambda status: status == 200)
    assert client.ask("hello").status_code == 200


def test_going_away_aborts_what_runs(client, background) -> None:
    def ask() -> None:
        with suppress(httpx.HTTPError):
            client.ask("[[delay:30]]")

    background(ask)
    until(lambda: client.gateway.ledger()[:1] and client.gateway.ledger()[0]["started_at"])

    post(client, "/sandbox/away", {"seconds": 0.2})

    until(lambda: client.gateway.ledger()[0]["outcome"], lambda outcome: outcome == "aborted")


def test_a_gateway_that_is_told_to_drain_takes_asks_again_later(client) -> None:
    assert post(client, "/sandbox/drain", {"seconds": 2}) == 200

    assert status_of(client) == 503
    until(lambda: status_of(client), lambda status: status == 200)


def test_nonsense_is_refused(client) -> None:
    assert post(client, "/sandbox/away", {"seconds": "soon"}) == 400
    assert post(client, "/sandbox/drain", []) == 400
    assert status_of(client) == 200


def test_the_clock_of_the_ledger_can_be_read(client) -> None:
    before = client.get("/sandbox/clock").json()["now_s"]
    client.ask("hello")
    after = client.get("/sandbox/clock").json()["now_s"]

    assert before < client.gateway.ledger()[0]["received_at"] < after


def test_the_ledger_tells_which_fault_was_played(client) -> None:
    client.ask("[[garbage]]")
    client.ask("hello")

    assert [row["fault"] for row in client.gateway.ledger()] == ["garbage", None]
