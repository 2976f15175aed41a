"""The wake-up call, and who may make it."""

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from tests.web.sample_site import Site


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
