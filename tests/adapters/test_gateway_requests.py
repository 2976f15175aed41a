"""What is sent to the gateway, and what is refused unsent."""

from collections.abc import Callable

import pytest

from dispatcher.adapters.gateway import gateway_session_key
from dispatcher.domain import errors
from dispatcher.domain.ids import SessionKey
from dispatcher.sandbox.gateway.server import ScriptedGateway
from tests.adapters.gateway_desk import SESSION_KEY, Desk, healthy, response, said
from tests.adapters.raw_server import Play, RawServer, always, answer


def test_the_request_is_the_agreed_one(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """The schema is strict: any other field is refused."""
    server = raw(healthy(always(answer(200, response(said("Done."))))))

    desk_at(server.url, token="gw-token").ask("Grüße 😀", agent="Engineer")

    request = server.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.headers["authorization"] == "Bearer gw-token"
    assert request.headers["x-openclaw-session-key"] == f"agent:engineer:{SESSION_KEY}"
    assert request.json() == {
        "model": "openclaw/engineer",
        "instructions": "Be brief.",
        "input": "Grüße 😀",
    }


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_no_authorization_is_sent(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], token: str | None
) -> None:
    """A gateway without authentication takes any header; a proxy may not."""
    server = raw(healthy(always(answer(200, response(said("Done."))))))

    desk_at(server.url, token=token).ask()

    assert not any("authorization" in request.headers for request in server.requests)


def test_the_token_is_shown_and_a_wrong_one_is_a_matter_of_configuration(
    scripted: Callable[..., ScriptedGateway], desk_at: Callable[..., Desk]
) -> None:
    """An operator has to look; the delivery is not at fault."""
    gateway = scripted(token="right")

    assert desk_at(gateway.url, token="right").ask("[[reply:yes]]").text == "yes"
    with pytest.raises(errors.GatewayMisconfigured) as raised:
        desk_at(gateway.url, token="wrong-secret").ask()

    assert "wrong-secret" not in str(raised.value)


@pytest.mark.parametrize(("token", "expected"), [("right", True), ("wrong", False), (None, False)])
def test_doctor_can_ask_whether_the_token_is_taken(
    scripted: Callable[..., ScriptedGateway],
    desk_at: Callable[..., Desk],
    token: str | None,
    expected: bool,
) -> None:
    """Without running an agent."""
    gateway = scripted(token="right")

    assert desk_at(gateway.url, token=token).gateway.accepts_token() is expected


def test_whether_the_token_is_taken_cannot_be_told_of_a_gateway_that_is_away(
    gateway: ScriptedGateway, desk: Desk
) -> None:
    """Away is not wrong."""
    gateway.refuse(True)

    assert desk.gateway.accepts_token() is None


def test_the_session_key_is_in_the_gateways_form(gateway: ScriptedGateway, desk: Desk) -> None:
    """The backend's bare key would run the default agent, or none."""
    desk.ask(agent="Squad-Lead", session_key=SessionKey("task:T1:agent:Squad-Lead:ACC:v1"))

    row = gateway.ledger()[-1]
    assert row["agent"] == "squad-lead"
    assert row["session_key"] == "agent:squad-lead:task:t1:agent:squad-lead:acc:v1"
    assert gateway_session_key("Beta", SessionKey("system:X")) == "agent:beta:system:x"


@pytest.mark.parametrize(
    "slug",
    ["", " ", "a b", "-lead", "_x", "a/b", "a:b", "ä", "x" * 65, "a\r\nX-Evil: 1", "eng\u017f",
     "\u212aate", "a\n"],
)  # fmt: skip
def test_a_slug_that_no_gateway_can_have_is_an_unavailable_agent(
    gateway: ScriptedGateway, desk: Desk, slug: str
) -> None:
    """It may be renamed; until then it waits, and nothing is sent."""
    with pytest.raises(errors.AgentUnavailable):
        desk.ask(agent=slug)

    assert gateway.ledger() == []


@pytest.mark.parametrize("key", ["a b", "a\r\nX-Evil: 1", "ä", "x" * 600, "\x00", "\ud800", "a\n"])
def test_a_key_that_fits_no_header_is_refused(
    gateway: ScriptedGateway, desk: Desk, key: str
) -> None:
    """It must not become a header of its own."""
    with pytest.raises(errors.AskRefused):
        desk.ask(session_key=SessionKey(key))

    assert gateway.ledger() == []


def test_a_prompt_over_20_mib_is_refused_unsent(gateway: ScriptedGateway, desk: Desk) -> None:
    """The gateway would cut the line while we still send."""
    with pytest.raises(errors.AskRefused):
        desk.ask("x" * (20 * 1024 * 1024 + 1))

    assert gateway.ledger() == []


@pytest.mark.parametrize("text", ["half \ud83d", "\udc00", "pair \ud83d\ude00"])
def test_a_lone_surrogate_in_a_prompt_is_cleaned(
    gateway: ScriptedGateway, desk: Desk, text: str
) -> None:
    """The backend cuts threads between units; the agent shall be asked all the same."""
    desk.ask(text)

    gateway.ledger()[-1]["input_text"].encode()


def test_an_empty_url_means_that_sending_is_off(desk_at: Callable[..., Desk]) -> None:
    """No attempt is spent on it."""
    desk = desk_at("")

    with pytest.raises(errors.GatewayMisconfigured, match="OPENCLAW_GATEWAY_URL"):
        desk.ask()

    assert "OPENCLAW_GATEWAY_URL" in (desk.gateway.look().problem or "")
