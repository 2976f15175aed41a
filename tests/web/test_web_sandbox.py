"""The sandbox's threads on the page: shown, written to, and closed to strangers."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from dispatcher.sandbox.backend.server import SandboxBackend
from tests.web.sample_site import LOCAL, Site


@dataclass
class Play:
    """A sandbox with the demo account, and a page that shows it."""

    backend: SandboxBackend
    client: FlaskClient
    account: str
    task: str

    def threads(self, **headers: str) -> Any:
        return self.client.get("/sandbox/threads", headers={"Host": LOCAL} | headers)

    def post(self, body: Any, **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(
            "/sandbox/messages",
            data=data,
            content_type="application/json",
            headers={"Host": LOCAL} | headers,
        )

    def say(self, content: object, **headers: str) -> Any:
        return self.post({"task": self.task, "content": content}, **headers)

    def contents(self) -> list[str]:
        return [row["content"] for row in self.backend.world.rows(self.account, "messages")]


@pytest.fixture
def play(site: Site) -> Iterator[Play]:
    backend = SandboxBackend().start()
    demo = backend.seed_demo()
    account = str(demo["accountId"])
    client = site.client(sandbox=(backend.url, account))
    playing = Play(backend, client, account, str(demo["taskId"]))
    yield playing
    backend.stop()
    # The page's own client has no way to be closed: a stopped sandbox breaks its connection.
    playing.threads()


def test_without_a_sandbox_there_are_no_such_pages(client: FlaskClient) -> None:
    """A real deployment has no person to act as."""
    headers = {"Host": LOCAL}

    assert client.get("/sandbox/threads", headers=headers).status_code == 404
    assert client.post("/sandbox/messages", headers=headers, json={}).status_code == 404


def test_the_page_has_a_place_for_the_threads(play: Play) -> None:
    """Filled by its script."""
    text = play.client.get("/threads").text

    assert "Threads of the sandbox" in text
    assert 'src="/static/sandbox.js"' in text


def test_a_message_is_posted_and_shown(play: Play) -> None:
    """This is how a person tries the whole thing."""
    posted = play.say("@engineer hello <b>")

    [thread] = play.threads().json
    assert posted.status_code == 200
    assert (thread["taskId"], thread["title"]) == (play.task, "Welcome")
    assert [message["content"] for message in thread["messages"]] == ["@engineer hello <b>"]
    assert thread["messages"][0]["authorName"] == "Alex"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:1234", "[::1]:8080"])
def test_this_machine_may_look_under_its_names(play: Play, host: str) -> None:
    """With the page's own origin."""
    assert play.threads(Host=host).status_code == 200
    assert play.say("hello", Host=host, Origin=f"http://{host}").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1",
     "evil.example#127.0.0.1", "127.0.0.1@evil.example", "", "[::1", "[", "0.0.0.0"],
)  # fmt: skip
def test_a_foreign_host_is_refused(play: Play, host: str) -> None:
    """Another site may point its name at this machine."""
    assert play.threads(Host=host).status_code in {400, 403, 421}
    assert play.say("hello", Host=host, Origin=f"http://{host}").status_code in {400, 403, 421}
    assert play.contents() == []


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "https://127.0.0.1:8080", "http://127.0.0.1:9999",
     "http://localhost:8080", "http://127.0.0.1:8080.evil.example"],
)  # fmt: skip
def test_a_foreign_origin_is_refused(play: Play, origin: str) -> None:
    """No other page may write through the visitor's browser."""
    assert play.say("hello", Origin=origin).status_code == 403
    assert play.threads(Origin=origin).status_code == 403
    assert play.contents() == []


@pytest.mark.parametrize("content", ["", "   ", "\n\t", None, 5, ["hello"], {}])
def test_a_message_without_a_text_is_refused(play: Play, content: object) -> None:
    """Nothing would come of it."""
    answer = play.say(content)

    assert answer.status_code == 400
    assert "text" in answer.json["error"]
    assert play.contents() == []


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b"null", b"5", b"{", b"\xff", b"[" * 100_000, {}, {"content": "x"},
             {"task": 5, "content": "x"}]
)  # fmt: skip
def test_a_body_of_another_form_is_refused(play: Play, body: object) -> None:
    """In words, as JSON."""
    answer = play.post(body)

    assert answer.status_code == 400
    assert set(answer.json) == {"error"}


def test_a_form_of_another_site_is_no_message(play: Play) -> None:
    """A browser sends it without asking first."""
    answer = play.client.post(
        "/sandbox/messages",
        data=json.dumps({"task": play.task, "content": "hello"}),
        content_type="text/plain",
        headers={"Host": LOCAL},
    )

    assert answer.status_code == 400
    assert play.contents() == []


def test_a_text_at_the_limit_is_taken_and_a_longer_one_is_not(play: Play) -> None:
    """The same limit stands at the field of the page."""
    fits = play.say("x" * 20_000)
    too_long = play.say("x" * 20_001)

    assert (fits.status_code, too_long.status_code) == (200, 413)
    assert "20000" in too_long.json["error"]
    assert play.contents() == ["x" * 20_000]


def test_a_body_that_is_too_large_is_a_json_413(play: Play) -> None:
    """It is not even read."""
    answer = play.say("x" * 300_000)

    assert answer.status_code == 413
    assert answer.is_json
    assert play.contents() == []


def test_an_unknown_task_is_refused_in_the_sandboxs_words(play: Play) -> None:
    """The page shows them to the person."""
    answer = play.post({"task": "nowhere", "content": "hello"})

    assert answer.status_code == 400
    assert "nowhere" in answer.json["error"]


def test_half_a_character_is_not_blamed_on_the_sandbox(play: Play) -> None:
    """The length limit of the page's field may cut an emoji in two."""
    answer = play.say("end \ud83d")

    assert answer.status_code in {200, 400}


def test_a_sandbox_that_is_away_is_a_json_502(play: Play) -> None:
    """The page says it and goes on looking."""
    play.backend.stop()

    answer = play.threads()

    assert answer.status_code == 502
    assert "sandbox" in answer.json["error"]


def test_threads_are_never_cached_and_carry_the_headers(play: Play) -> None:
    """They change twice a second."""
    headers = play.threads().headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_console_token_is_nowhere_on_the_pages(play: Play) -> None:
    """Whoever sees the page need not be allowed to wake."""
    texts: list[Callable[[], str]] = [
        lambda: play.client.get("/").text,
        lambda: play.client.get("/health").text,
        lambda: play.threads().text,
    ]

    assert not any("console-token" in text() for text in texts)
