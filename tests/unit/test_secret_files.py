"""Secrets in files of their own: `NAME_FILE` instead of `NAME`."""

import os
from pathlib import Path

import pytest

from dispatcher.domain.errors import SettingsInvalid
from dispatcher.settings import load_settings, misspelt_names
from dispatcher.settings.fields import Settings
from dispatcher.settings.secret_files import secret_names
from dispatcher.settings.showing import shown_settings

TOKEN = "mc_service_acc_0123456789abcdef"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.upper().startswith(("SERVICE_TOKEN", "REDIS_URL", "CONSOLE_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ACCOUNT_ID", "acc")
    monkeypatch.setenv("CONVEX_URL", "http://127.0.0.1:1")
    return monkeypatch


def file_of(folder: Path, content: bytes) -> str:
    path = folder / "secret"
    path.write_bytes(content)
    return str(path)


def test_every_secret_may_stand_in_a_file() -> None:
    assert set(secret_names(Settings.model_fields)) == {
        "service_token", "redis_url", "openclaw_gateway_token", "turn_token_key", "console_token",
        "ai_gateway_api_key", "vercel_ai_gateway_api_key",
    }  # fmt: skip


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"  \n\n"])
def test_a_secret_is_read_from_its_file(given, tmp_path: Path, mark: bytes, end: bytes) -> None:
    given.setenv("SERVICE_TOKEN_FILE", file_of(tmp_path, mark + TOKEN.encode() + end))

    settings = load_settings(None)

    assert settings.service_token.get_secret_value() == TOKEN
    (shown,) = [one for one in shown_settings(settings, None) if one.name == "SERVICE_TOKEN"]
    assert (shown.value, shown.source) == ("***", "a file of its own")
    assert [note for note in misspelt_names(None) if "SERVICE_TOKEN" in note] == []


def test_the_settings_file_may_name_it_too(given, tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"SERVICE_TOKEN_FILE={file_of(tmp_path, TOKEN.encode())}\n")

    assert load_settings(env_file).service_token.get_secret_value() == TOKEN


def test_a_url_with_a_password_may_stand_in_a_file(given, tmp_path: Path) -> None:
    given.setenv("SERVICE_TOKEN", TOKEN)
    given.setenv("REDIS_URL_FILE", file_of(tmp_path, b"redis://:hidden@127.0.0.1:6379/1\n"))

    assert load_settings(None).redis_url == "redis://:hidden@127.0.0.1:6379/1"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"one\ntwo",
        b"\xff\xfe",
        b"nul\0nul",
        b"one\rtwo",
        b"\xef\xbb\xbf",
        b"x" * 70_000,
    ],
)
def test_a_file_that_holds_no_secret_is_told_without_its_content(
    given, tmp_path: Path, content: bytes
) -> None:
    given.setenv("SERVICE_TOKEN_FILE", file_of(tmp_path, content))

    with pytest.raises(SettingsInvalid) as caught:
        load_settings(None)

    assert "SERVICE_TOKEN_FILE names a file that cannot be used" in str(caught.value)
    assert "two" not in str(caught.value)


@pytest.mark.parametrize("path", ["/no/such/file", "/", "x\0y"])
def test_a_file_that_cannot_be_read_is_told(given, tmp_path: Path, path: str) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"SERVICE_TOKEN_FILE='{path}'\n")

    with pytest.raises(SettingsInvalid, match="SERVICE_TOKEN_FILE names a file"):
        load_settings(env_file)


def test_a_secret_that_is_given_twice_is_a_mistake(given, tmp_path: Path) -> None:
    given.setenv("SERVICE_TOKEN", TOKEN)
    given.setenv("SERVICE_TOKEN_FILE", file_of(tmp_path, b"another"))

    with pytest.raises(SettingsInvalid, match="both set: keep one"):
        load_settings(None)
