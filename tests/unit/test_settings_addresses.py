"""Where the gateway, the agents and the workspace are, and when a token is needed."""

import pytest

from tests.fakes.environment import notes_about, problems_of, read_with


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


@pytest.mark.parametrize("name", ["CONVEX_URL", "OPENCLAW_GATEWAY_URL"])
def test_a_url_with_a_user_is_refused_because_it_would_not_be_sent(name: str) -> None:
    (problem,) = problems_of(**{name: "http://alex:hidden@127.0.0.1:1"})

    assert f"{name} holds a user or a password" in problem
    assert "hidden" not in problem


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("REDIS_URL", "redis://127.0.0.1:1/0?db=x"),
        ("REDIS_URL", "redis://127.0.0.1:1/0?max_connections=x"),
        ("CONVEX_URL", "http://\u3002"),
        ("CONVEX_URL", "http://xn--.x"),
        ("OPENCLAW_GATEWAY_URL", "http://[v1.a]"),
    ],
)
def test_a_url_that_no_client_can_read_is_refused(name: str, url: str) -> None:
    assert any(name in problem for problem in problems_of(**{name: url}))


@pytest.mark.parametrize(
    "host", ["name.convex.cloud", "name.example.", "open_claw", "[::1]", "é.example"]
)
def test_names_that_can_be_looked_up_pass(host: str) -> None:
    assert read_with(CONVEX_URL=f"https://{host}").convex_url == f"https://{host}"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("OPENCLAW_GATEWAY_URL", "http://gateway..svc:18789"),
        ("CONVEX_URL", "https://.convex.cloud"),
        ("CONVEX_URL", f"https://{'a' * 64}.convex.cloud"),
    ],
)
def test_a_host_that_cannot_be_looked_up_is_told_as_such(name: str, url: str) -> None:
    problems = problems_of(**{name: url}, OPENCLAW_GATEWAY_TOKEN="t")

    assert [f"{name} names a host that cannot be looked up" in one for one in problems] == [True]
