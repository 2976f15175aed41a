"""What the outside sees: health, metrics, the wake-up call, the page, and the sandbox's threads."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from pydantic import SecretStr

from dispatcher.sandbox.backend.server import SandboxBackend
from dispatcher.web.app import build_app

TOKEN = SecretStr("console-token")
LOCAL = "127.0.0.1:8080"


@dataclass
class Facts:
    """Vitals whose facts a test chooses."""

    loops: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    is_store_up: bool = True

    def stuck(self) -> tuple[str, ...]:
        return self.loops

    def problems(self) -> tuple[str, ...]:
        return self.sentences

    def health(self) -> dict[str, Any]:
        numbers = {"open": 9, "inFlight": 2, "waiting": 5, "resting": 1, "dead": 41}
        return {
            "status": "degraded" if self.sentences else "healthy",
            "problems": list(self.sentences),
            "versions": {"runtimeService": "0.1.0", "openclaw": "2026.9.6"},
            "store": {"running": True, **numbers} if self.is_store_up else {"running": False},
        }

    def version(self) -> dict[str, str]:
        return {
            "runtimeServiceVersion": "0.1.0",
            "openclawVersion": "2026.9.6",
            "dropletId": "d1",
            "region": "",
        }


@dataclass
class Site:
    """An app with its facts and a count of its wake-ups."""

    facts: Facts = field(default_factory=Facts)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    wakes: list[str] = field(default_factory=list)

    def client(self, *, token: SecretStr | None = TOKEN, **more: Any) -> FlaskClient:
        app = build_app(
            self.facts,
            registry=self.registry,
            wake=lambda: self.wakes.append("wake"),
            console_token=token,
            **more,
        )
        return app.test_client()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return site.client()


# Health


def test_livez_says_that_the_loops_make_progress(client: FlaskClient) -> None:
    """The compose health check restarts what is not alive, so the world outside is left out."""
    answer = client.get("/livez")

    assert (answer.status_code, answer.json) == (200, {"alive": True, "stuck": []})


def test_livez_names_a_stuck_loop(site: Site, client: FlaskClient) -> None:
    """A person wants to know which one."""
    site.facts.loops = ("poll",)

    answer = client.get("/livez")

    assert (answer.status_code, answer.json) == (503, {"alive": False, "stuck": ["poll"]})


def test_livez_does_not_care_for_the_world_outside(site: Site, client: FlaskClient) -> None:
    """A restart would not bring Redis back."""
    site.facts.sentences = ("Redis cannot be reached.",)

    assert client.get("/livez").status_code == 200


def test_readyz_says_what_is_missing(site: Site, client: FlaskClient) -> None:
    """In sentences, asked anew for each request."""
    ready = client.get("/readyz")
    site.facts.sentences = ("Redis cannot be reached.",)
    unready = client.get("/readyz")

    assert (ready.status_code, ready.json) == (200, {"ready": True, "problems": []})
    assert (unready.status_code, unready.json) == (
        503,
        {"ready": False, "problems": ["Redis cannot be reached."]},
    )


def test_health_is_the_whole_report(site: Site, client: FlaskClient) -> None:
    """200 when healthy, 503 when degraded."""
    healthy = client.get("/health")
    site.facts.sentences = ("Redis cannot be reached.",)
    degraded = client.get("/health")

    assert (healthy.status_code, degraded.status_code) == (200, 503)
    assert healthy.json is not None
    assert healthy.json["store"]["dead"] == 41
    assert degraded.json == site.facts.health()


def test_version_says_what_runs(site: Site, client: FlaskClient) -> None:
    """For the operator and for upgrades."""
    answer = client.get("/version")

    assert (answer.status_code, answer.json) == (200, site.facts.version())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/version", "/metrics", "/"])
def test_a_head_request_is_answered_like_a_get(client: FlaskClient, path: str) -> None:
    """Probes use it."""
    answer = client.head(path)

    assert answer.status_code == 200
    assert answer.data == b""


# Metrics


@pytest.fixture
def counted(site: Site) -> FlaskClient:
    Counter("polls", 'Looks at "x".', ["loop"], registry=site.registry).labels('a"b\n').inc(3)
    return site.client()


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/plain", "text/plain;version=0.0.4", "text/html"]
)
def test_metrics_are_text_unless_asked_otherwise(counted: FlaskClient, accept: str) -> None:
    """The format that everything reads."""
    answer = counted.get("/metrics", headers={"Accept": accept})

    [value] = [
        sample.value
        for one in parse_text(answer.text)
        for sample in one.samples
        if sample.name == "polls_total"
    ]
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert (answer.status_code, value) == (200, 3)


def test_metrics_are_openmetrics_for_who_asks_for_it(counted: FlaskClient) -> None:
    """As Prometheus does."""
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"

    answer = counted.get("/metrics", headers={"Accept": accept})

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert [one.name for one in parse_openmetrics(answer.text)] == ["polls"]


# The wake-up call


@pytest.mark.parametrize("token", [None, SecretStr("")])
@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer x", "Bearer None"])
def test_wake_is_off_without_a_token(site: Site, token: SecretStr | None, given: str) -> None:
    """Off, not open."""
    answer = site.client(token=token).post("/wake", headers={"Authorization": given})

    assert answer.status_code == 403
    assert "CONSOLE_TOKEN" in str((answer.json or {})["error"])
    assert site.wakes == []


@pytest.mark.parametrize(
    "given",
    ["", "console-token", "Bearer", "Bearer ", "Bearer wrong", "Basic console-token",
     "Bearer console-token ", "Bearer console-tokenx", "Bearer con", "Bearer \xe4\xf6"],
)  # fmt: skip
def test_wake_wants_the_token(site: Site, client: FlaskClient, given: str) -> None:
    """And does not say what it is."""
    headers = {"Authorization": given} if given else {}

    answer = client.post("/wake", headers=headers)

    assert answer.status_code == 401
    assert "console-token" not in answer.text
    assert site.wakes == []


def test_wake_wakes(site: Site, client: FlaskClient) -> None:
    """Somebody says that there is work."""
    answer = client.post("/wake", headers={"Authorization": "Bearer console-token"})

    assert (answer.status_code, answer.data) == (204, b"")
    assert site.wakes == ["wake"]


def test_wake_is_not_for_looking(site: Site, client: FlaskClient) -> None:
    """A link must not wake anybody."""
    answer = client.get("/wake", headers={"Authorization": "Bearer console-token"})

    assert answer.status_code == 405
    assert answer.is_json
    assert site.wakes == []


def test_a_405_says_what_is_allowed(client: FlaskClient) -> None:
    """HTTP wants it, and a person who tries with curl as well."""
    assert "POST" in client.get("/wake").headers.get("Allow", "")


# The page


def test_the_page_shows_the_numbers(client: FlaskClient) -> None:
    """For a person who has just started it."""
    answer = client.get("/")

    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert "healthy" in answer.text
    assert "<dd>41</dd>" in answer.text
    assert "Threads of the sandbox" not in answer.text


def test_the_page_is_there_while_redis_is_away(site: Site, client: FlaskClient) -> None:
    """That is when somebody looks."""
    site.facts.is_store_up = False
    site.facts.sentences = ("Redis cannot be reached.",)

    answer = client.get("/")

    assert answer.status_code == 200
    assert "Redis cannot be reached." in answer.text
    assert "<dd>\N{EN DASH}</dd>" in answer.text


def test_the_page_escapes_what_others_wrote(site: Site, client: FlaskClient) -> None:
    """A problem may quote an error text from far away."""
    site.facts.sentences = ("<script>alert('x')</script> & co",)

    text = client.get("/").text

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; co" in text


@pytest.mark.parametrize("name", ["page.css", "sandbox.js"])
def test_the_page_brings_its_own_assets(client: FlaskClient, name: str) -> None:
    """Nothing is loaded from elsewhere."""
    answer = client.get(f"/static/{name}")

    assert answer.status_code == 200
    assert answer.data
    answer.close()


@pytest.mark.parametrize(
    "path", ["/", "/health", "/livez", "/readyz", "/version", "/metrics", "/nowhere", "/wake"]
)
def test_every_answer_has_the_security_headers(client: FlaskClient, path: str) -> None:
    """Errors too."""
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_the_page_obeys_its_own_policy(client: FlaskClient) -> None:
    """No script or style stands in the page itself, or it would not run."""
    text = client.get("/").text

    assert "<style" not in text
    assert "style=" not in text
    assert "onclick" not in text
    assert "<script>" not in text


# Errors


def test_an_unknown_path_is_a_json_404(client: FlaskClient) -> None:
    """Programs read this."""
    answer = client.get("/nowhere")

    assert answer.status_code == 404
    assert answer.json is not None
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/x.css"])
def test_files_outside_the_assets_are_not_served(client: FlaskClient, path: str) -> None:
    """Nor told apart from ones that do not exist."""
    assert client.get(path).status_code == 404


def test_a_defect_is_a_json_500_without_details(site: Site) -> None:
    """The log has them; a stranger has no use for them."""

    def fail() -> dict[str, Any]:
        raise RuntimeError("the secret of the house")

    site.facts.health = fail  # type: ignore[method-assign]

    answer = site.client().get("/health")

    assert answer.status_code == 500
    assert answer.is_json
    assert "secret" not in answer.text


# The sandbox's threads


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
    text = play.client.get("/").text

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
    assert play.threads(Host=host).status_code in {400, 403}
    assert play.say("hello", Host=host, Origin=f"http://{host}").status_code in {400, 403}
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
