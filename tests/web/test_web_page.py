"""What all pages share: assets, headers, errors."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.sample_site import Site

# Every page


@pytest.mark.parametrize("name", ["console.css", "console.js", "sandbox.js", "icon.svg"])
def test_the_page_brings_its_own_assets(client: FlaskClient, name: str) -> None:
    """Nothing is loaded from elsewhere."""
    answer = client.get(f"/static/{name}")

    assert answer.status_code == 200
    assert answer.data
    answer.close()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/agents",
        "/dead-letters",
        "/conversations",
        "/sign-in",
        "/health",
        "/livez",
        "/readyz",
        "/version",
        "/metrics",
        "/nowhere",
        "/wake",
    ],
)
def test_every_answer_has_the_security_headers(client: FlaskClient, path: str) -> None:
    """Errors too."""
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "path",
    ["/", "/agents", "/dead-letters", "/conversations?where=running", "/sign-in", "/search?q=x"],
)
def test_every_page_obeys_its_own_policy(client: FlaskClient, path: str) -> None:
    """No script or style stands in the page itself, or it would not run."""
    text = client.get(path).text

    assert "<style" not in text
    assert "style=" not in text
    assert "onclick" not in text
    assert "<script>" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


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
