"""Whatever an `.env` holds is settings, or refused without a word of its secrets."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain.errors import SettingsInvalid
from dispatcher.settings import Settings, known_names, load_settings, misspelt_names
from tests.fakes.environment import ACCOUNT, REQUIRED
from tests.fuzz.hostile import as_bytes, mangled, texts

SECRET = "5ecre7c0ffee5ecre7c0ffee"
TOKEN_LINE = f"SERVICE_TOKEN=mc_service_{ACCOUNT}_{SECRET}".encode()
env_names = st.sampled_from([
    *known_names(), "SERVICE_TOKEN_FILE", "REDIS_URL_FILE", "CONSOLE_TOKEN_FILE", "SERVICE_TOKN",
    "export LOG_LEVEL", "", "'", "#",
]).map(as_bytes)  # fmt: skip
env_values = texts.map(as_bytes) | st.sampled_from([
    b"true", b"3", b"-0", b"9" * 5_000, "٣".encode(), b"'", b'"', b'"a\nb"', b"'\\'",
    b"${SERVICE_TOKEN}", b"${SERVICE_TOKEN:-x}", b"${", b"$", b"\\x", b"\\N{x}", b"mc_service_",
    b"mc_service_a_b", ACCOUNT.encode(), b"http://[", b"http://a:99999999", b"http://a:b@c",
    b"http://\xe2\x84\x80", b"http://", b"unix:/x", b"redis://h:6379/x", b"https://x.example/",
    b"/", b".", b"\0", b"\xff", b"0.0.0.0", b"::", b"/clawd/agents",
])  # fmt: skip
env_lines = st.builds(
    lambda *parts: b"".join(parts),
    env_names,
    st.sampled_from([b"=", b" = ", b"", b":"]),
    env_values,
)
GOOD_LINES = [f"{name}={value}".encode() for name, value in REQUIRED.items()]
GOOD_LINES = [*GOOD_LINES, TOKEN_LINE, b"LOG_LEVEL='warn' # why", b"export HEALTH_PORT=3001", b""]
more_lines = st.lists(env_lines, max_size=3)
env_files = st.builds(
    lambda before, kept, after: b"\n".join([*before, *kept, TOKEN_LINE, *after]),
    more_lines,
    st.sampled_from([GOOD_LINES] * 4 + [GOOD_LINES[1:], []]),
    more_lines,
)
broken_files = mangled(b"\n".join(GOOD_LINES), env_values) | st.binary(max_size=200)


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / ".env"


def settings_told(env_file: Path) -> str:
    """Read the settings from a file alone; return what is said of them."""
    with pytest.MonkeyPatch.context() as machine:
        for name in list(os.environ):
            machine.delenv(name)
        told = "\n".join(misspelt_names(env_file))
        try:
            found = load_settings(env_file)
        except SettingsInvalid as error:
            return f"{told} {error} {error.problems!r} {error.__cause__!r}"
        assert isinstance(found, Settings)
        assert found.threads > 0
        assert found.base_url_for_agents
        assert found.openclaw_config_path
        return f"{told} {found.notes!r}"


@settings(max_examples=300, deadline=None)
@given(content=env_files | broken_files)
def test_any_file_is_settings_or_refused_without_its_secrets(
    env_file: Path, content: bytes
) -> None:
    env_file.write_bytes(content)

    assert SECRET not in settings_told(env_file)
