"""One real gateway for all tests of a run: a start costs half a minute."""

from collections.abc import Iterator

import pytest

from tests.gateway.harness import RealGateway
from tests.gateway.model import ScriptedModel


@pytest.fixture(scope="session")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture(scope="session")
def gateway(model, tmp_path_factory) -> Iterator[RealGateway]:
    """Each test leaves it running, and uses sessions of its own."""
    agents = ("engineer", "writer", "outcast")
    folder = tmp_path_factory.mktemp("gateway")
    with RealGateway(folder, model_url=model.url, agents=agents) as gateway:
        print(f"\nready after {gateway.started_in_s:.1f} s")
        yield gateway
