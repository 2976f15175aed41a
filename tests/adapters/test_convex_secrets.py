"""The service token is in no error of the backend's adapter."""

from collections.abc import Callable

import pytest

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.domain import errors
from tests.adapters.convex_office import ACCOUNT, Adapt, Office
from tests.adapters.raw_server import answer


@pytest.mark.parametrize("secret", ["5e" * 32, "correct-horse+battery/staple", "a_b_c", "p.w=x~y"])
def test_an_error_text_never_contains_the_token(office: Office, adapt: Adapt, secret: str) -> None:
    """The extra-field error of a development deployment prints the whole argument object."""
    token = office.world.rotate_token(office.account, secret=secret)
    convex = adapt(office.backend.url, office.account, token)
    with pytest.raises(errors.BackendRefused) as raised:
        convex.call("getOrchestratorAgentId", extra=1)

    assert "extra field" in str(raised.value)
    assert token not in str(raised.value)
    assert secret not in str(raised.value)


def test_a_token_that_stands_bare_in_an_error_is_taken_out_whole(
    answered: Callable[..., ConvexBackend],
) -> None:
    """An operator may choose any secret, not only letters and digits."""
    secret = "correct-horse+battery"
    token = f"mc_service_{ACCOUNT}_{secret}"
    text = f"[Request ID: 1] Server Error\nUncaught Error: Odd token {token} given\n"
    backend = answered(answer(200, {"status": "error", "errorMessage": text}), token=token)

    with pytest.raises(errors.BackendRefused) as raised:
        backend.probe()

    assert "horse" not in str(raised.value)
    assert "battery" not in str(raised.value)


def test_an_error_text_is_short(answered: Callable[..., ConvexBackend]) -> None:
    """It goes into logs and onto the health page."""
    text = "[Request ID: 1] Server Error\nUncaught Error: " + "x" * 100_000
    backend = answered(answer(200, {"status": "error", "errorMessage": text}))

    with pytest.raises(errors.BackendRefused) as raised:
        backend.probe()

    assert len(str(raised.value)) < 600
