"""What the doctor says of a gateway, by what it answers."""

from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.adapters.gateway_state import GatewayState
from dispatcher.cli.doctor import Finding, _gateway
from tests.fakes.environment import read_with


def finding(*, accepted: bool | None, version: str | None = "2026.9.6") -> Finding:
    state = GatewayState(is_ready=True, version=version, problem=None)
    gateway = SimpleNamespace(look=lambda: state, accepts_token=lambda: accepted)
    parts: Any = SimpleNamespace(gateway=gateway)
    (found,) = _gateway(read_with(), parts)
    return found


@pytest.mark.parametrize(("accepted", "is_good"), [(True, True), (False, False), (None, False)])
def test_only_a_gateway_that_accepts_the_token_is_well(
    accepted: bool | None, is_good: bool
) -> None:
    found = finding(accepted=accepted)

    assert found.is_good is is_good
    assert bool(found.advice) is not is_good


def test_an_unknown_version_is_named_as_such() -> None:
    assert "None" not in finding(accepted=True, version=None).text
