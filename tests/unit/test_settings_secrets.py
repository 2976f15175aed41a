"""No secret is told, neither by a problem nor by the settings themselves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain.errors import SettingsInvalid
from tests.fakes.environment import ACCOUNT, OTHER_ACCOUNT, REQUIRED, SECRET, problems_of, read_with

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


@pytest.mark.parametrize("letter", ["\r", "\n", "\x1b", "\udcff"])
@pytest.mark.parametrize("name", ["SERVICE_TOKEN", "OPENCLAW_GATEWAY_TOKEN", "CONSOLE_TOKEN"])
def test_a_secret_that_no_header_can_carry_is_refused_without_being_told(
    name: str, letter: str
) -> None:
    problems = problems_of(**{name: f"mc_service_{ACCOUNT}_{SECRET}{letter}{LONG_SECRET}"})

    assert any(f"{name} holds a character that cannot be sent" in one for one in problems)
    assert SECRET not in str(problems)
    assert LONG_SECRET not in str(problems)
