"""What the tests of `ops/` share."""

import pytest

from tests.needs import need


@pytest.fixture(scope="session")
def promtool() -> str:
    return need("promtool")
