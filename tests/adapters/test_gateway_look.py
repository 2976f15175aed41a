"""Looking at the gateway: is it ready, and is its version good enough."""

from collections.abc import Callable

import pytest

from dispatcher.adapters.gateway_state import is_supported
from dispatcher.domain import errors
from dispatcher.sandbox.gateway.server import ScriptedGateway
from tests.adapters.gateway_desk import Desk, healthy, response, said
from tests.adapters.raw_server import Play, RawServer, always, answer


def looks(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], ready: bytes, started: bytes
) -> Desk:
    answers = {"/readyz": ready, "/startupz": started}
    return desk_at(raw(lambda request, line: line.send(answers[request.path])).url)


def test_a_ready_gateway_is_ready(desk: Desk) -> None:
    """And tells its version."""
    state = desk.gateway.look()

    assert (state.is_ready, state.version, state.problem) == (True, "2026.9.6", None)
    assert not state.is_too_old


def test_a_starting_gateway_is_not_ready_yet(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """It says what it waits for."""
    starting = answer(503, {"ready": False, "failing": ["startup-sidecars"]})
    desk = looks(raw, desk_at, starting, answer(503, {"ok": False, "status": "starting"}))

    state = desk.gateway.look()

    assert not state.is_ready
    assert not state.is_too_old
    assert "startup-sidecars" in (state.problem or "")


def test_a_draining_gateway_is_not_ready(gateway: ScriptedGateway, desk: Desk) -> None:
    """It will be back after its restart."""
    gateway.drain()

    state = desk.gateway.look()

    assert not state.is_ready
    assert not state.is_too_old
    assert "gateway-draining" in (state.problem or "")


def test_a_gateway_that_is_away_is_not_ready(gateway: ScriptedGateway, desk: Desk) -> None:
    """The problem says what to check."""
    gateway.refuse(True)

    state = desk.gateway.look()

    assert not state.is_ready
    assert not state.is_too_old
    assert "OPENCLAW_GATEWAY_URL" in (state.problem or "")


def test_a_proxy_without_gateway_is_not_called_too_old(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """The gateway behind it is down; asks wait for it, and upgrading would not help."""
    page = answer(502, "<html>Bad Gateway</html>")

    state = looks(raw, desk_at, page, page).gateway.look()

    assert not state.is_ready
    assert not state.is_too_old
    assert "Upgrade" not in (state.problem or "")


def test_an_old_version_is_refused_with_what_to_do(
    scripted: Callable[..., ScriptedGateway], desk_at: Callable[..., Desk]
) -> None:
    """It would post provider errors as replies."""
    gateway = scripted(version="2026.2.19")
    desk = desk_at(gateway.url)

    state = desk.gateway.look()
    with pytest.raises(errors.GatewayMisconfigured, match=r"2026\.2\.19"):
        desk.ask()

    assert (state.is_ready, state.is_too_old) == (False, True)
    assert "Upgrade" in (state.problem or "")
    assert gateway.ledger() == []


def test_a_gateway_that_answers_every_get_with_a_page_is_refused(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """That is how the old ones are: they know no /readyz."""
    server = raw(always(answer(200, "<!doctype html><html></html>")))
    desk = desk_at(server.url)

    state = desk.gateway.look()
    with pytest.raises(errors.GatewayMisconfigured, match="Upgrade"):
        desk.ask()

    assert (state.is_ready, state.is_too_old) == (False, True)
    assert not any(request.method == "POST" for request in server.requests)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"5", b"\xff\xfe\xfa", b"[" * 100_000, b'{"ready": "yes"}']
)
def test_a_look_never_raises(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk], body: bytes
) -> None:
    """Health has to show it, whatever it is."""
    state = looks(raw, desk_at, answer(200, body), answer(200, body)).gateway.look()

    assert not state.is_ready
    assert state.problem


def test_a_look_at_what_is_not_http_never_raises(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """Another service may listen on the port."""
    state = desk_at(raw(always(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")).url).gateway.look()

    assert not state.is_ready
    assert state.problem


def test_the_version_is_looked_at_once_for_many_asks(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """Two more requests for each ask would be a heavy price."""
    server = raw(healthy(always(answer(200, response(said("Done."))))))
    desk = desk_at(server.url)

    for _ in range(5):
        desk.ask()

    assert [request.path for request in server.requests].count("/readyz") == 1


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2026.9.6", True), ("v2026.7.0", True), ("2026.7", True), ("2026.10.1-beta", True),
        ("2027.1.1", True), ("2026.6.35", False), ("2026.2.19", False), ("2025.12.1", False),
        ("dev", True), ("", True),
    ],
)  # fmt: skip
def test_versions_are_compared_as_numbers(version: str, expected: bool) -> None:
    """2026.10 is younger than 2026.9; one that we cannot read passes."""
    assert is_supported(version) is expected
