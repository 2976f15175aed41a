"""Where settings come from: known and misspelt names, the file, and the environment."""

from pathlib import Path

import pytest

from dispatcher.domain.errors import SettingsInvalid
from dispatcher.settings import known_names, load_settings, misspelt_names
from dispatcher.settings.showing import shown_settings
from tests.fakes.environment import ACCOUNT, NAMES, REQUIRED, read_with, run

# Names


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("ACOUNT_ID", "ACCOUNT_ID"),
        ("SERVICE_TOKEM", "SERVICE_TOKEN"),
        ("OPENCLAW_GATEWAY_TOKEN_", "OPENCLAW_GATEWAY_TOKEN"),
        ("DELIVERY_INTERVALL", "DELIVERY_INTERVAL"),
    ],
)
def test_a_misspelt_name_is_pointed_out(
    wrong: str, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(wrong, "x")

    notes = [note for note in misspelt_names(None) if note.startswith(f"{wrong} ")]

    assert len(notes) == 1
    assert right in notes[0]


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "PYTHONPATH", "REDIS_HOST", "account_id"])
def test_the_names_of_others_are_not_pointed_out(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name in lower case is read as well, so it is not misspelt."""
    monkeypatch.setenv(name, "x")

    assert not [note for note in misspelt_names(None) if note.startswith(f"{name} ")]


def test_a_misspelt_name_in_the_file_is_pointed_out(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SERVICE_TOKEM=x\n")

    assert any("SERVICE_TOKEN" in note for note in misspelt_names(file))


def test_every_name_is_known_and_none_is_ours_alone() -> None:
    assert {*NAMES, "REDIS_URL", "LOG_LEVEL"} <= set(known_names())
    assert "NOTES" not in known_names()


def test_a_variable_called_notes_is_not_a_setting() -> None:
    """The warnings of the reading are a field of the settings, but nobody can set them."""
    assert read_with(NOTES="buy milk").notes == ()


# The file


def write_env(folder: Path, text: str | bytes) -> Path:
    file = folder / ".env"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_file_with_windows_line_ends_quotes_and_blanks_is_read(tmp_path: Path) -> None:
    lines = [
        "# settings",
        "",
        f'ACCOUNT_ID="{ACCOUNT}"',
        f"CONVEX_URL = '{REQUIRED['CONVEX_URL']}' ",
        f"  SERVICE_TOKEN={REQUIRED['SERVICE_TOKEN']}   ",
        "export DELIVERY_INTERVAL=20000",
        "",
    ]

    read = load_settings(write_env(tmp_path, "\r\n".join(lines)))

    assert read.account_id == ACCOUNT
    assert read.convex_url == REQUIRED["CONVEX_URL"]
    assert read.service_token.get_secret_value() == REQUIRED["SERVICE_TOKEN"]
    assert read.delivery_interval == 20_000


def test_real_variables_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_env(
        tmp_path,
        "\n".join(f"{name}={value}" for name, value in REQUIRED.items()) + "\nHEALTH_PORT=1234\n",
    )
    monkeypatch.setenv("HEALTH_PORT", "4321")

    assert load_settings(file).health_port == 4321


def test_a_missing_file_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)

    assert load_settings(tmp_path / ".env").account_id == ACCOUNT


def test_an_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="UTF-8"):
        load_settings(write_env(tmp_path, b"ACCOUNT_ID=\xff\xfe\n"))


def test_an_unreadable_file_ends_the_program_with_78(tmp_path: Path) -> None:
    write_env(tmp_path, b"ACCOUNT_ID=\xff\xfe\n")

    ended = run(tmp_path)

    assert "Traceback" not in ended.stderr
    assert ended.returncode == 78


def test_the_file_in_the_folder_is_read_by_the_program(tmp_path: Path) -> None:
    write_env(tmp_path, f"ACCOUNT_ID={ACCOUNT}\nSERVICE_TOKEM=x\n")

    ended = run(tmp_path)

    assert ended.returncode == 78
    assert "ACCOUNT_ID is not set" not in ended.stderr
    assert "is SERVICE_TOKEN meant?" in ended.stderr


def test_a_blank_variable_takes_back_what_the_file_sets_and_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    lines = [f"{name}={value}" for name, value in REQUIRED.items()]
    env_file.write_text("\n".join([*lines, "HEALTH_PORT=4000", "METRICS_PORT=4001"]))
    monkeypatch.setenv("HEALTH_PORT", "")

    shown = {one.name: one for one in shown_settings(load_settings(env_file), env_file)}

    assert (shown["HEALTH_PORT"].value, shown["HEALTH_PORT"].source) == (3001, "environment, blank")
    assert (shown["METRICS_PORT"].value, shown["METRICS_PORT"].source) == (4001, str(env_file))
