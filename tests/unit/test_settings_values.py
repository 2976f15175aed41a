"""The values of settings: quotes, blanks, numbers and words are put right, with a warning."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.environment import REQUIRED, notes_about, read_with


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
