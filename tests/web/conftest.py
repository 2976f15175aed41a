"""A site for each test, and a client that looks at it."""

import pytest
from flask.testing import FlaskClient

from tests.web.sample_site import Site


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return site.client()
