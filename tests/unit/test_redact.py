"""What never leaves the program."""

import json
import logging
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.adapters.logs import line_formatter
from dispatcher.domain.redact import redact, short_error

ACCOUNT = "j57dxw5hfxg351ff8cvfdrz3vka3r13s"
TASK = "jn7652t9v5pwvtbt8c6x9xcqe1c9k838"
SECRET = "s3cr3t-v4lue"
KEY = f"task:{TASK}:agent:engineer:{ACCOUNT}:v1"
SYSTEM_KEY = f"system:agent:engineer:{ACCOUNT}:v1"

TURN = f"turn_{'a' * 60}.abcdef.{'b' * 43}"
SETTINGS = [
    "SERVICE_TOKEN={}",
    "OPENCLAW_GATEWAY_TOKEN={}",
    "token={}",
    "SERVICE_TOKEN: {}",
    "OPENCLAW_GATEWAY_TOKEN: {}",
    "serviceToken: {}",
    "token: {}",
    'serviceToken: "{}"',
    "token: '{}'",
    "Service_Token = {}",
]
FIXED = [
    '{{"serviceToken":"{}"}}',
    '{{"serviceToken": "{}", "accountId": "a"}}',
    "Authorization: Bearer {}",
    "authorization: bearer {}",
    "https://example.org/x?token={}",
    "https://example.org/x?a=1&token={}&b=2",
    "CONSOLE_TOKEN={}",
    "TURN_TOKEN_KEY={}",
    "AI_GATEWAY_API_KEY={}",
    "password={}",
    "redis://:{}@redis:6379/0",
    "redis://user:{}@redis:6379/0",
]


@pytest.mark.parametrize("form", SETTINGS)
def test_a_setting_with_a_secret_loses_it(form: str) -> None:
    said = redact(f"before {form.format(SECRET)} after")

    assert SECRET not in said
    assert "***" in said
    assert said.startswith("before ")
    assert said.endswith(" after")


@pytest.mark.parametrize("form", FIXED)
def test_a_secret_in_another_form_is_taken_out_too(form: str) -> None:
    assert SECRET not in redact(f"before {form.format(SECRET)}")


def test_the_rest_of_a_query_stays() -> None:
    assert redact("GET /x?token=abc&limit=5") == "GET /x?token=***&limit=5"


def test_ordinary_words_stay() -> None:
    text = "max_tokens 5, the task is done, system restarted at 12:30, basics of tokens"

    assert redact(text) == text


@pytest.mark.parametrize("key", [KEY, SYSTEM_KEY, f"agent:engineer:{KEY}", f"agent:x:{SYSTEM_KEY}"])
@pytest.mark.parametrize("form", ["{}", "user={} ", '"{}"', "({})", "no session {}, sorry", "'{}'"])
def test_a_session_key_is_taken_out_whole(form: str, key: str) -> None:
    said = redact(form.format(key))

    assert said == form.format("(session-key)")


@pytest.mark.parametrize("key", [KEY.upper(), SYSTEM_KEY.title()])
def test_the_case_of_a_session_key_does_not_matter(key: str) -> None:
    assert redact(f"session {key} failed") == "session (session-key) failed"


@pytest.mark.parametrize(
    "text",
    [
        f'token="{SECRET}"',
        f'{{"serviceToken":"{SECRET}"}}',
        f'{{"gatewayToken": "{SECRET}"}}',
        f"Traceback:\nBearer {SECRET}",
        f"no session:\n{KEY}",
        f"no session:\t{KEY}",
    ],
)
def test_a_secret_inside_a_log_line_is_taken_out_and_the_line_stays_json(text: str) -> None:
    """In JSON quotes and line ends are escaped, which must not hide a secret from the patterns."""
    line = log_line(msg=text)

    assert SECRET not in line
    assert TASK not in line
    assert ACCOUNT not in line
    assert json.loads(line)["level"] == "info"


@pytest.mark.parametrize("field", ["token", "serviceToken", "password"])
def test_a_secret_in_a_field_of_a_log_line_is_taken_out_and_the_line_stays_json(
    field: str,
) -> None:
    line = log_line(msg="refused", **{field: SECRET})

    assert SECRET not in line
    assert json.loads(line)["message"] == "refused"


def log_line(**facts: object) -> str:
    formatter = line_formatter("worker", is_terminal=False)
    return formatter.format(logging.makeLogRecord({"levelname": "INFO", **facts}))


def test_an_unclosed_quote_hides_nothing() -> None:
    assert SECRET not in redact(f'token="{SECRET}')
    assert SECRET not in redact(f"password: '{SECRET}")


PIECES = st.sampled_from([
    "token", "serviceToken", "password", "secret", "Bearer", "basic", "=", ":", " ", "\n", '"', "'",
    "abc", "***", "://", "@", "/", "mc_service_a_b", "task:x", "system:y", "agent:a:", ",", ";",
    "(session-key)", "}", "&", ")",
])  # fmt: skip
noise = st.lists(PIECES, max_size=12).map("".join)
tokens = st.builds(
    "mc_service_{}_{}".format,
    st.text(alphabet="0123456789abcdefghjkmnpqrstvwxyz", min_size=1, max_size=32),
    st.text(alphabet="0123456789abcdef_", min_size=8, max_size=64),
)


@settings(max_examples=100)
@example(text='token="a"b')
@example(text="password=''x")
@given(text=noise | st.text())
def test_twice_is_the_same_as_once(text: str) -> None:
    once = redact(text)

    assert redact(once) == once


@given(before=noise | st.text(), token=tokens, after=noise | st.text())
def test_a_service_token_never_survives(before: str, token: str, after: str) -> None:
    said = redact(before + token + after)

    assert token not in said
    assert token.removeprefix("mc_service_") not in said


@given(
    before=noise,
    secret=st.text(alphabet=string.ascii_letters + string.digits + "-._~+/=", min_size=16),
)
def test_an_operators_own_secret_never_survives(before: str, secret: str) -> None:
    """A token that an operator supplies may have any secret (service API, section 2.1)."""
    said = redact(f"{before} mc_service_{ACCOUNT}_{secret} ")

    assert secret[-8:] not in said


@given(
    before=noise,
    edge=st.sampled_from([" ", '"', "'", "(", "[", "{", "=", "/", "\n", "<", ","]),
    key=st.sampled_from([KEY, SYSTEM_KEY, f"agent:engineer:{KEY}", f"agent:qa-1:{SYSTEM_KEY}"]),
    after=st.sampled_from(["", " ", '"', "'", ")", "]", "}", ",", ";", "\n", ".", ": gone"]),
)
def test_a_session_key_never_survives(before: str, edge: str, key: str, after: str) -> None:
    said = redact(f"{before}{edge}{key}{after}")

    assert TASK not in said
    assert ACCOUNT not in said


@given(text=st.text(max_size=2000) | noise.map(lambda part: part * 60))
def test_a_short_error_is_short_and_redacted(text: str) -> None:
    said = short_error(text)

    assert len(said) <= 503
    assert "\n" not in said


def test_a_long_error_ends_in_three_dots() -> None:
    assert short_error("x" * 500) == "x" * 500
    assert short_error("x" * 501) == "x" * 500 + "..."


def test_a_secret_at_the_cut_is_redacted_before_the_cut() -> None:
    said = short_error("x" * 480 + f" mc_service_{ACCOUNT}_{SECRET}")

    assert ACCOUNT[:4] not in said


def test_code_that_looks_a_little_like_a_token_stays() -> None:
    """Agents write code; it must not be garbled."""
    for code in (
        "self.turn_controller.state.reset()",
        "my_turn_taking_model.config.json",
        "turn_on",
    ):
        assert redact(code) == code
    assert redact(f"({TURN})") == "(turn_***)"


@pytest.mark.timeout(20)
def test_a_text_full_of_beginnings_of_tokens_is_read_quickly() -> None:
    """One agent's reply must not keep a whole process busy."""
    for part in ("turn_", "turn_ ", "turn_" + "a" * 39 + ".", "turn_" + "a" * 1_899 + " "):
        text = part * (400_000 // len(part))
        assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SERVICE_TOKEN=abc123", "SERVICE_TOKEN=***"),
        ("OPENCLAW_GATEWAY_TOKEN=abc123", "OPENCLAW_GATEWAY_TOKEN=***"),
        ("token=abc123", "token=***"),
        ("SERVICE_TOKEN: abc123", "SERVICE_TOKEN: ***"),
        ('serviceToken: "abc123"', 'serviceToken: "***"'),
        ("token: 'abc123'", "token: '***'"),
        ("task:k1:agent:engineer:acc:v1 next", "(session-key) next"),
        ("system:agent:engineer:acc:v1", "(session-key)"),
        ('{"serviceToken":"abc123"}', '{"serviceToken":"***"}'),
        ("Authorization: Bearer abc123", "Authorization: Bearer ***"),
        ("mc_service_acc_abc123", "mc_service_***"),
        ("redis://user:p@ss@host:6379/0", "redis://***@host:6379/0"),
        ("https://example.org/x?token=abc123&y=1", "https://example.org/x?token=***&y=1"),
    ],
)
def test_item_180_every_pattern_is_taken_out(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert json.loads(log_line(msg=text))["message"] == shown
