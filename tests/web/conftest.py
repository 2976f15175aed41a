"""A site for each test, and a client that looks at it."""

import pytest
import redis
from flask.testing import FlaskClient

from tests.house import House, furnish
from tests.web.sample_site import Site


@pytest.fixture
def house(redis_client: redis.Redis) -> House:
    return furnish(redis_client)


@pytest.fixture
def site(house: House) -> Site:
    return Site(house)


@pytest.fixture
def client(site: Site) -> FlaskClient:
    return site.client()
