"""Who may steer: a matrix of every write, every kind of caller, and what comes of it."""

import pytest
from flask.testing import FlaskClient

from tests.house import House, five_states
from tests.web.sample_site import BEARER, Site, sign_in

WRITES = {
    "/steer/pause": {"what": "all"},
    "/steer/resume": {"what": "all"},
    "/steer/revive": {"delivery": "DEAD"},
    "/steer/discard": {"delivery": "DEAD", "sure": "yes"},
    "/steer/ask": {"delivery": "DEAD"},
}
CROSS = {"Origin": "http://evil.example"}


@pytest.fixture
def dead(house: House) -> str:
    return house.die(answer="stored")


def form(path: str, dead: str) -> dict[str, str]:
    return {name: dead if value == "DEAD" else value for name, value in WRITES[path].items()}


def is_untouched(house: House, dead: str) -> bool:
    return house.controls.dead_letter(dead) is not None and not house.store.world().paused


@pytest.mark.parametrize("path", WRITES)
def test_without_a_console_token_nothing_can_be_steered(site, house, dead, path) -> None:
    answer = site.client(token=None).post(path, data=form(path, dead), headers=BEARER)

    assert answer.status_code == 403
    assert "CONSOLE_TOKEN" in answer.text
    assert is_untouched(house, dead)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic console-token"}]
)
def test_a_stranger_steers_nothing(client, house, dead, path, headers) -> None:
    answer = client.post(path, data=form(path, dead), headers=headers)

    assert answer.status_code == 401
    assert is_untouched(house, dead)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    ("headers", "keeps_form_token"),
    [
        ({}, False),
        (CROSS, True),
        ({"Origin": "null"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
    ],
)
def test_another_site_cannot_use_an_operators_browser(
    client, house, dead, path, headers, keeps_form_token
) -> None:
    """The session is there, as a browser would send it; the site or the form's token is not."""
    token = sign_in(client)
    data = form(path, dead) | ({"form_token": token} if keeps_form_token else {})

    answer = client.post(path, data=data, headers=headers)

    assert answer.status_code == 403
    assert is_untouched(house, dead)


@pytest.mark.parametrize("way", ["bearer", "session"])
def test_an_operator_steers(client: FlaskClient, house: House, dead: str, way: str) -> None:
    headers = BEARER if way == "bearer" else {"Origin": "http://localhost"}
    token = {} if way == "bearer" else {"form_token": sign_in(client)}

    def post(path: str, **fields: str) -> str:
        answer = client.post(path, data=fields | token, headers=headers)
        assert answer.status_code in {200, 302}, answer.text
        return answer.text

    post("/steer/pause", what="all")
    assert [what for what, _ in house.store.world().paused] == ["all"]
    post("/steer/resume", what="all")
    assert not house.store.world().paused
    post("/steer/revive", delivery=dead)
    assert house.controls.dead_letter(dead) is None
    assert house.store.stats().open == 1


def test_discarding_asks_first(client: FlaskClient, house: House, dead: str) -> None:
    token = sign_in(client)

    asked = client.post("/steer/discard", data={"delivery": dead, "form_token": token})
    assert "cannot be taken back" in asked.text
    assert is_untouched(house, dead)

    client.post("/steer/discard", data={"delivery": dead, "form_token": token, "sure": "yes"})
    assert house.controls.dead_letter(dead) is None


def test_a_group_is_revived_and_a_dry_run_changes_nothing(client, house: House) -> None:
    dead = [house.die("engineer") for _ in range(3)]
    house.die("writer")
    agent = house.controls.dead_letter(dead[0]).entry.agent
    fields = {"cause": "ask_refused", "agent": agent, "form_token": sign_in(client)}

    dry = client.post("/steer/revive", data=fields | {"dry": "yes"})
    assert "Nothing was changed" in dry.text
    assert all(one in dry.text for one in dead)
    assert house.store.stats().dead == 4

    client.post("/steer/revive", data=fields)
    assert house.store.stats().dead == 1
    assert "3 dead letters revived." in client.get("/dead-letters").text


@pytest.mark.parametrize("what", ["", "everything", "agent:", "task:x", "agent:" + "x" * 300])
def test_only_what_can_be_paused_is_paused(client: FlaskClient, house: House, what: str) -> None:
    answer = client.post("/steer/pause", data={"what": what}, headers=BEARER)

    assert answer.status_code == 400
    assert not house.store.world().paused


def test_a_wrong_token_opens_no_session(client: FlaskClient) -> None:
    answer = client.post("/sign-in", data={"token": "wrong"})

    assert answer.status_code == 401
    assert "That is not the console token." in answer.text
    assert "Sign out" not in client.get("/").text


@pytest.mark.parametrize("way", ["sign-in", "bearer", "wake"])
def test_guessing_is_slowed_down_wherever_the_token_is_wanted(client, way: str) -> None:
    def guess(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        match way:
            case "sign-in":
                return client.post("/sign-in", data={"token": token}).status_code
            case "bearer":
                return client.post("/steer/pause", data={"what": "x"}, headers=headers).status_code
            case _:
                return client.post("/wake", headers=headers).status_code

    assert {guess(f"wrong{number}") for number in range(10)} == {401}
    assert guess("wrong") == 429
    assert guess("console-token") == 429


def test_right_tokens_are_not_counted(client: FlaskClient) -> None:
    for _ in range(15):
        assert client.post("/wake", headers=BEARER).status_code == 204


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("evil.example", 421), ("127.0.0.1.evil.example:3001", 421), ("localhost.evil.example", 421),
        ("127.0.0.1:3001", 200), ("[::1]:3001", 200), ("localhost", 200), ("runtime:3001", 200),
        ("10.0.0.7", 200), ("console.example", 200), ("CONSOLE.EXAMPLE:80", 200),
    ],
)  # fmt: skip
def test_a_name_of_a_stranger_does_not_lead_to_the_console(client, host: str, code: int) -> None:
    """Or a site could let its own name point here, and read all pages."""
    assert client.get("/", headers={"Host": host}).status_code == code
    assert client.get("/agents", headers={"Host": host}).status_code == code
    # Programs come under any name.
    assert client.get("/livez", headers={"Host": host}).status_code == 200


def test_a_session_ends_twelve_hours_after_signing_in(client: FlaskClient) -> None:
    """However long a tab stays open."""
    sign_in(client)

    assert "Set-Cookie" not in client.get("/").headers


def test_without_a_console_token_there_is_nothing_to_sign_out_of(site: Site) -> None:
    assert site.client(token=None).post("/sign-out").status_code == 403


def test_another_site_can_neither_sign_in_nor_out(client: FlaskClient) -> None:
    wrong = client.post("/sign-in", data={"token": "console-token"}, headers=CROSS)
    assert wrong.status_code == 403

    sign_in(client)
    assert client.post("/sign-out", headers=CROSS).status_code == 403
    assert "Sign out" in client.get("/").text
    client.post("/sign-out")
    assert "Sign out" not in client.get("/").text


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(client) -> None:
    cookie = client.post("/sign-in", data={"token": "console-token"}).headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "console-token" not in cookie


def test_a_new_console_token_ends_all_sessions(site: Site) -> None:
    from pydantic import SecretStr

    client = site.client()
    sign_in(client)
    cookie = client.get_cookie("console")
    assert cookie is not None

    other = site.client(token=SecretStr("another-token"))
    other.set_cookie("console", cookie.value)

    assert "Sign out" not in other.get("/").text


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/agents?x=1", "/agents?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("//[", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_back_to_this_site_only(client, back: str, leads_to: str) -> None:
    answer = client.post("/sign-in", data={"token": "console-token", "back": back})

    assert answer.location == leads_to


def test_whoever_cannot_steer_sees_no_buttons(site: Site, house: House) -> None:
    five = five_states(house)

    for path in ("/", "/agents", "/dead-letters", f"/deliveries/{five.dead}"):
        for client in (site.client(token=None), site.client()):
            assert "/steer/" not in client.get(path).text
    assert "Read-only" in site.client(token=None).get("/").text
    assert "Sign in" in site.client().get("/").text
