"""The page that a person looks at, its headers, and the errors."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.sample_site import Site

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
