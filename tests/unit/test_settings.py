"""The settings: what is read, what is put right, what is refused, and that no secret is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain.errors import SettingsInvalid
from dispatcher.settings import Settings, known_names, load_settings, misspelt_names

ACCOUNT = "j57dxw5hfxg351ff8cvfdrz3vka3r13s"
OTHER_ACCOUNT = "j57other0000000000000000000000000"
SECRET = "9f86d081884c7d65"
REQUIRED = {
    "ACCOUNT_ID": ACCOUNT,
    "CONVEX_URL": "https://happy-animal-123.convex.cloud",
    "SERVICE_TOKEN": f"mc_service_{ACCOUNT}_{SECRET}",
}
NAMES = tuple(REQUIRED)


def read_with(**variables: str | None) -> Settings:
    """Read the settings from exactly these variables beside the required ones."""
    with pytest.MonkeyPatch.context() as machine:
        for name in list(os.environ):
            machine.delenv(name)
        for name, value in (REQUIRED | variables).items():
            if value is not None:
                machine.setenv(name, value)
        return load_settings(None)


def problems_of(**variables: str | None) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        read_with(**variables)
    assert SECRET not in str(caught.value)
    return caught.value.problems


def notes_about(name: str, read: Settings) -> list[str]:
    return [note for note in read.notes if name in note]


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program in an empty folder with a bare environment."""
    return subprocess.run(
        [sys.executable, "-m", "dispatcher", "run"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_items_1_to_3_without_settings_it_ends_with_78_and_names_all_three(tmp_path: Path) -> None:
    ended = run(tmp_path)

    assert ended.returncode == 78
    assert all(name in ended.stderr for name in NAMES)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("blank", [None, "", '""', "''", "  "])
@pytest.mark.parametrize("name", NAMES)
def test_items_1_to_3_a_blank_value_is_as_good_as_none(name: str, blank: str | None) -> None:
    problems = problems_of(**{name: blank})

    assert any(problem.startswith(f"{name} is not set") for problem in problems)


def test_every_problem_is_told_at_once() -> None:
    problems = problems_of(
        ACCOUNT_ID="",
        CONVEX_URL="nonsense",
        SERVICE_TOKEN=f"wrong_{SECRET}",
        OPENCLAW_GATEWAY_URL="ftp://gateway",
        TASK_STATUS_BASE_URL="nonsense",
        REDIS_URL="mysql://redis",
    )

    for name in (
        *("ACCOUNT_ID", "CONVEX_URL", "SERVICE_TOKEN", "OPENCLAW_GATEWAY_URL"),
        *("TASK_STATUS_BASE_URL", "REDIS_URL"),
    ):
        assert any(name in problem for problem in problems), name


def test_the_required_settings_are_enough() -> None:
    read = read_with()

    assert read.account_id == ACCOUNT
    assert read.convex_url == REQUIRED["CONVEX_URL"]
    assert read.service_token.get_secret_value() == REQUIRED["SERVICE_TOKEN"]
    assert read.notes == ()


def test_item_4_a_token_of_another_kind_is_refused() -> None:
    (problem,) = problems_of(SERVICE_TOKEN=f"sk_live_{ACCOUNT}_{SECRET}")

    assert "format" in problem
    assert "mc_service_" in problem


def test_item_5_a_token_of_three_parts_is_refused() -> None:
    (problem,) = problems_of(SERVICE_TOKEN="mc_service_abc")

    assert "structure" in problem
    assert "mc_service_{accountId}_{secret}" in problem


def test_item_6_a_token_of_another_account_is_refused_with_both_names() -> None:
    (problem,) = problems_of(SERVICE_TOKEN=f"mc_service_{OTHER_ACCOUNT}_{SECRET}")

    assert ACCOUNT in problem
    assert OTHER_ACCOUNT in problem


def test_item_6_the_program_says_so_and_keeps_the_secret(tmp_path: Path) -> None:
    ended = run(tmp_path, **REQUIRED | {"ACCOUNT_ID": OTHER_ACCOUNT})

    assert ended.returncode == 78
    assert OTHER_ACCOUNT in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout


def test_item_7_a_secret_may_have_underscores() -> None:
    token = f"mc_service_{ACCOUNT}_a_b__c_"

    assert read_with(SERVICE_TOKEN=token).service_token.get_secret_value() == token


def test_item_8_a_token_without_a_secret_is_refused() -> None:
    (problem,) = problems_of(SERVICE_TOKEN=f"mc_service_{ACCOUNT}_")

    assert "structure" in problem


def test_a_token_longer_than_the_backend_takes_is_refused() -> None:
    problems_of(SERVICE_TOKEN=f"mc_service_{ACCOUNT}_{'x' * 500}")


@pytest.mark.parametrize("form", ['"{}"', "'{}'", ' "{}" ', "{}", "\t{}\n"])
def test_item_9_quotes_and_blanks_around_a_value_are_taken_off(form: str) -> None:
    """`docker run --env-file` passes quotes through."""
    given_ones = {name: form.format(value) for name, value in REQUIRED.items()}

    assert read_with(**given_ones) == read_with()


@pytest.mark.parametrize("value", ['"abc', "abc'", "\"abc'", '"', "'"])
def test_item_9_unbalanced_quotes_stay(value: str) -> None:
    assert read_with(DROPLET_ID=value).droplet_id == value


def test_item_9_only_one_pair_of_quotes_is_taken_off() -> None:
    assert read_with(DROPLET_ID="\"'abc'\"").droplet_id == "'abc'"


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("OPENCLAW_GATEWAY_URL", "openclaw_gateway_url", "http://localhost:18789"),
        ("HEALTH_HOST", "health_host", "0.0.0.0"),
        ("TASK_STATUS_BASE_URL", "task_status_base_url", "http://runtime:3001"),
        ("OPENCLAW_WORKSPACE_ROOT", "openclaw_workspace_root", "/clawd/agents"),
    ],
)
def test_item_9_blanks_inside_the_quotes_go_where_they_make_no_sense(
    name: str, field: str, value: str
) -> None:
    """Section 1.1, rule 2: these variables are trimmed a second time."""
    assert getattr(read_with(**{name: f'" {value} "'}), field) == value


def test_item_9_a_gateway_token_of_quoted_blanks_is_blank() -> None:
    assert read_with(OPENCLAW_GATEWAY_TOKEN='"  "').gateway_bearer is None


def test_item_10_a_quoted_number_is_a_number() -> None:
    assert read_with(DELIVERY_INTERVAL='"20000"').delivery_interval == 20_000


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("5", 1_000),
        ("-5", 1_000),
        ("999999999", 86_400_000),
        ("abc", 15_000),
        ("15s", 15_000),
        ("1e4", 15_000),
        ("15000.0", 15_000),
    ],
)
def test_item_11_a_number_that_cannot_be_is_put_right_with_a_warning(
    text: str, interval: int
) -> None:
    read = read_with(DELIVERY_INTERVAL=text)

    assert read.delivery_interval == interval
    assert len(notes_about("DELIVERY_INTERVAL", read)) == 1


@pytest.mark.parametrize("text", ["", '""', "15000", " 15000 "])
def test_item_11_a_good_or_blank_number_needs_no_warning(text: str) -> None:
    read = read_with(DELIVERY_INTERVAL=text)

    assert read.delivery_interval == 15_000
    assert read.notes == ()


@settings(max_examples=25)
@given(number=st.integers() | st.integers(-(10**40), 10**40))
def test_item_11_any_whole_number_is_moved_to_the_nearest_bound(number: int) -> None:
    read = read_with(DELIVERY_INTERVAL=str(number))

    assert read.delivery_interval == min(max(number, 1_000), 86_400_000)


def test_item_12_the_longest_backoff_is_not_below_the_shortest() -> None:
    read = read_with(DELIVERY_BACKOFF_BASE_MS="60000", DELIVERY_BACKOFF_MAX_MS="5000")

    assert read.delivery_backoff_max_ms == 60_000
    assert notes_about("DELIVERY_BACKOFF_MAX_MS", read)


def test_item_12_a_base_above_the_default_maximum_moves_it() -> None:
    assert read_with(DELIVERY_BACKOFF_BASE_MS="600000").delivery_backoff_max_ms == 600_000


RANGES = [
    pytest.param("DELIVERY_MAX_CONCURRENT_SESSIONS", 1, 100, 10, id="item_13"),
    pytest.param("DELIVERY_CONTEXT_FETCH_BATCH_SIZE", 1, 50, 15, id="item_14"),
    pytest.param("DELIVERY_LIST_LIMIT", 1, 500, 50, id="item_15"),
    pytest.param("HEALTH_PORT", 1, 65_535, 3_001, id="item_16"),
    pytest.param("AGENT_SYNC_INTERVAL", 1_000, 86_400_000, 60_000, id="item_17"),
    pytest.param("OPENCLAW_REQUEST_TIMEOUT_MS", 5_000, 600_000, 60_000, id="item_18"),
    pytest.param("DELIVERY_INTERVAL", 1_000, 86_400_000, 15_000, id="delivery-interval"),
    pytest.param("DELIVERY_BACKOFF_BASE_MS", 1_000, 86_400_000, 5_000, id="backoff-base"),
    pytest.param("DELIVERY_MAX_ATTEMPTS", 1, 50, 6, id="max-attempts"),
    pytest.param("DELIVERY_LEASE_MS", 3_000, 600_000, 12_000, id="lease"),
    pytest.param("DELIVERY_SWEEP_MS", 200, 60_000, 2_000, id="sweep"),
    pytest.param("DELIVERY_MAX_TOOL_ROUNDS", 1, 50, 8, id="tool-rounds"),
]


@pytest.mark.parametrize(("name", "low", "high", "default"), RANGES)
def test_items_13_to_18_numbers_have_their_default_and_their_bounds(
    name: str, low: int, high: int, default: int
) -> None:
    def value(text: str | None) -> int:
        number: int = getattr(read_with(**{name: text}), name.lower())
        return number

    assert value(None) == default
    assert value("0") == low
    assert value(str(high + 1)) == high
    assert value(str(low)) == low
    assert value(str(high)) == high
    assert value("many") == default


@pytest.mark.parametrize(
    ("timeout", "stream"), [(None, 120_000), ("5000", 10_000), ("600000", 300_000)]
)
def test_item_19_the_stream_timeout_follows_the_request_timeout(
    timeout: str | None, stream: int
) -> None:
    assert read_with(OPENCLAW_REQUEST_TIMEOUT_MS=timeout).stream_timeout_ms == stream


def test_item_19_unless_it_is_set() -> None:
    assert read_with(DELIVERY_STREAM_TIMEOUT_MS="1").stream_timeout_ms == 5_000


def test_item_20_the_gateway_is_on_this_machine_unless_said_otherwise() -> None:
    assert read_with().openclaw_gateway_url == "http://127.0.0.1:18789"


@pytest.mark.parametrize("blank", ["", '""', "  "])
def test_item_20_a_blank_gateway_url_disables_sending(blank: str) -> None:
    read = read_with(OPENCLAW_GATEWAY_URL=blank)

    assert read.openclaw_gateway_url == ""
    assert read.gateway_bearer is None


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://localhost", "localhost:18789"])
def test_item_21_only_http_and_https_lead_to_a_gateway(url: str) -> None:
    (problem,) = problems_of(OPENCLAW_GATEWAY_URL=url)

    assert "OPENCLAW_GATEWAY_URL" in problem
    assert "only http and https" in problem


@pytest.mark.parametrize("scheme", ["http", "https", "HTTP"])
def test_item_21_http_and_https_pass(scheme: str) -> None:
    read = read_with(OPENCLAW_GATEWAY_URL=f"{scheme}://localhost:18789/")

    assert read.openclaw_gateway_url == f"{scheme}://localhost:18789"


def test_item_22_a_remote_gateway_needs_a_token() -> None:
    (problem,) = problems_of(OPENCLAW_GATEWAY_URL="https://gateway.example.org")

    assert "OPENCLAW_GATEWAY_TOKEN" in problem


def test_item_22_with_a_token_it_passes() -> None:
    url = "https://gateway.example.org"

    read = read_with(OPENCLAW_GATEWAY_URL=url, OPENCLAW_GATEWAY_TOKEN=" abc ")

    assert read.gateway_bearer is not None
    assert read.gateway_bearer.get_secret_value() == "abc"


def test_item_22_a_blank_token_for_a_remote_gateway_is_told() -> None:
    url = "https://gateway.example.org"

    read = read_with(OPENCLAW_GATEWAY_URL=url, OPENCLAW_GATEWAY_TOKEN="")

    assert read.gateway_bearer is None
    assert notes_about("OPENCLAW_GATEWAY_TOKEN", read)


LOCAL = [
    pytest.param("http://localhost:18789", id="item_23-localhost"),
    pytest.param("http://LOCALHOST:18789", id="item_23-upper-case"),
    pytest.param("http://127.0.0.1:18789", id="item_23-127"),
    pytest.param("http://0.0.0.0:18789", id="item_23-all"),
    pytest.param("http://openclaw-gateway:18789", id="item_24-compose"),
    pytest.param("http://[::1]:18789", id="item_25-ipv6"),
]


@pytest.mark.parametrize("url", LOCAL)
def test_items_23_to_25_a_local_gateway_needs_no_token(url: str) -> None:
    unset = read_with(OPENCLAW_GATEWAY_URL=url).gateway_bearer

    assert unset is not None
    assert unset.get_secret_value() == "local"
    assert read_with(OPENCLAW_GATEWAY_URL=url, OPENCLAW_GATEWAY_TOKEN="").gateway_bearer is None


def test_item_26_nonsense_is_no_base_url() -> None:
    (problem,) = problems_of(TASK_STATUS_BASE_URL="nonsense")

    assert "TASK_STATUS_BASE_URL" in problem


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_item_26_listening_everywhere_agents_are_told_the_loopback_and_we_are_warned(
    host: str,
) -> None:
    read = read_with(HEALTH_HOST=host, HEALTH_PORT="4000")

    assert read.base_url_for_agents == "http://127.0.0.1:4000"
    assert notes_about("TASK_STATUS_BASE_URL", read)


def test_item_26_agents_that_cannot_reach_the_loopback_are_a_warning() -> None:
    read = read_with(TASK_STATUS_BASE_URL="http://runtime:3001/")

    assert read.base_url_for_agents == "http://runtime:3001"
    assert notes_about("TASK_STATUS_BASE_URL", read)


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_item_26_the_derived_base_url_is_a_url_for_any_host(host: str) -> None:
    expected = "http://[::1]:3001" if host == "::1" else "http://localhost:3001"

    assert read_with(HEALTH_HOST=host).base_url_for_agents == expected


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "yes", "Yes", "on", '"On"'])
def test_item_27_the_words_for_true(word: str) -> None:
    assert read_with(ALLOW_VOLATILE_REDIS=word).allow_volatile_redis is True


@pytest.mark.parametrize("word", ["false", "FALSE", "0", "no", "No", "off", '"Off"', ""])
def test_item_27_the_words_for_false(word: str) -> None:
    read = read_with(ALLOW_VOLATILE_REDIS=word)

    assert read.allow_volatile_redis is False
    assert read.notes == ()


def test_item_27_maybe_is_the_default_and_a_warning() -> None:
    read = read_with(ALLOW_VOLATILE_REDIS="maybe")

    assert read.allow_volatile_redis is False
    assert notes_about("ALLOW_VOLATILE_REDIS", read)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("VERBOSE", "info"),
        ("DEBUG", "debug"),
        ("Warn", "warn"),
        ("error", "error"),
        ("", "info"),
        (None, "info"),
    ],
)
def test_item_28_the_log_level_in_any_case(text: str | None, level: str) -> None:
    assert read_with(LOG_LEVEL=text).log_level == level


@pytest.mark.parametrize(
    ("root", "seen", "config"),
    [
        ("/clawd/agents", "/root/clawd/agents", "/clawd/openclaw.json"),
        ("/root/clawd/agents", "/root/clawd/agents", "/root/clawd/openclaw.json"),
        ("/clawdette/agents", "/clawdette/agents", "/clawdette/openclaw.json"),
    ],
)
def test_item_29_the_workspace_as_the_gateway_sees_it(root: str, seen: str, config: str) -> None:
    read = read_with(OPENCLAW_WORKSPACE_ROOT=root)

    assert read.workspace_seen_by_gateway == seen
    assert read.openclaw_config_path == config


token_parts = st.sampled_from(
    ["mc", "service", "MC", "", ACCOUNT, "abc", " ", '"', "é", "mc_service"]
)
prefixes = st.lists(token_parts, max_size=5).map("_".join)
LONG_SECRET = "5ecre7" * 8


@settings(max_examples=80)
@given(
    prefix=prefixes,
    glue=st.sampled_from(["_", "", " ", "-"]),
    tail=st.sampled_from(["", "_", " ", '"', "\n", "_x", " x", "'"]),
    account=st.sampled_from([ACCOUNT, OTHER_ACCOUNT, "", "abc"]),
    url=st.sampled_from([REQUIRED["CONVEX_URL"], "", f"https://u:{LONG_SECRET}@[", "ftp://x"]),
)
def test_item_30_no_problem_tells_a_secret(
    prefix: str, glue: str, tail: str, account: str, url: str
) -> None:
    token = f"{prefix}{glue}{LONG_SECRET}{tail}"
    try:
        read = read_with(
            ACCOUNT_ID=account,
            CONVEX_URL=url,
            SERVICE_TOKEN=token,
            OPENCLAW_GATEWAY_TOKEN=LONG_SECRET,
            CONSOLE_TOKEN=LONG_SECRET,
            DELIVERY_INTERVAL=LONG_SECRET,
            LOG_LEVEL=LONG_SECRET,
        )
    except SettingsInvalid as error:
        told = f"{error} {error.problems!r} {error.__cause__!r}"
    else:
        told = f"{read.notes!r} {read!r}"

    assert LONG_SECRET not in told
    assert LONG_SECRET[:24] not in told


def test_item_30_settings_do_not_show_their_tokens() -> None:
    read = read_with(OPENCLAW_GATEWAY_TOKEN=LONG_SECRET, CONSOLE_TOKEN=LONG_SECRET)

    assert SECRET not in f"{read!r} {read}"
    assert LONG_SECRET not in f"{read!r} {read}"


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


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_with().health_port = 1


def test_one_agent_gets_half_of_the_turns_unless_told_otherwise() -> None:
    assert read_with().agent_cap == 5
    assert read_with(DELIVERY_MAX_CONCURRENT_SESSIONS="1").agent_cap == 1
    assert read_with(DELIVERY_MAX_CONCURRENT_PER_AGENT="50").agent_cap == 10


def test_a_stop_waits_for_running_turns_and_a_little_longer() -> None:
    assert read_with().drain_ms == 90_000
    assert read_with(DRAIN_TIMEOUT_MS="1000").drain_ms == 1_000
