"""Passes of agents: minted by a worker, read by a runtime; bare keys only where they are allowed."""

from datetime import timedelta

import pytest
import redis
from pydantic import SecretStr

from dispatcher.adapters.redis.passes import RedisPasses
from dispatcher.adapters.turn_passes import TurnPasses
from dispatcher.adapters.turn_tokens import TokenRefused, TurnTokens, fingerprint, signing_key
from dispatcher.domain.ids import SessionKey
from tests.fakes.clock import ManualClock
from tests.web.agent_site import rights

KEY = SessionKey("task:t:agent:engineer:acc:v1")
PREFIX = "mission-control:{acc}:"
SERVICE = SecretStr("mc_service_acc_topsecret")


def passes(
    client: redis.Redis | None = None, *, tools: bool = False, own: str | None = None
) -> TurnPasses:
    """What a process makes of its settings."""
    key = signing_key(SecretStr(own) if own else None, SERVICE)
    return TurnPasses(
        TurnTokens(key, life=timedelta(minutes=11), clock=ManualClock()),
        base_url="http://runtime:3001",
        has_client_tools=tools,
        legacy=RedisPasses(client, PREFIX) if client is not None else None,
    )


def test_item_137_worker_and_runtime_derive_the_same_key() -> None:
    token = passes().reach(rights(done=True), KEY).token
    assert token is not None

    found = passes().read(token)

    assert found.rights == rights(done=True)
    assert found.session == fingerprint(KEY)


def test_a_key_of_ones_own_takes_the_place_of_the_derived_one() -> None:
    token = passes(own="x" * 40).reach(rights(), KEY).token
    assert token is not None

    assert passes(own="x" * 40).read(token).rights == rights()
    with pytest.raises(TokenRefused):
        passes().read(token)


def test_the_derived_key_gives_nothing_of_the_service_token_away() -> None:
    derived = signing_key(None, SERVICE).get_secret_value()

    assert len(derived) == 64
    assert "topsecret" not in derived
    assert derived != signing_key(None, SecretStr("mc_service_acc_other")).get_secret_value()
    assert signing_key(SecretStr(""), SERVICE).get_secret_value() == derived


def test_no_token_is_minted_where_the_request_brings_tools() -> None:
    assert passes(tools=True).reach(rights(), KEY).token is None


def test_item_124_a_bare_key_opens_nothing_unless_it_is_allowed(redis_client: redis.Redis) -> None:
    open_house = passes(redis_client)
    open_house.reach(rights(), KEY)

    assert open_house.read(KEY).rights == rights()
    with pytest.raises(TokenRefused, match="Unknown session key"):
        open_house.read("task:t:agent:lead:acc:v1")
    with pytest.raises(TokenRefused, match="Unknown session key"):
        passes().read(KEY)


def test_a_bare_key_stands_for_the_newest_turn_of_its_session(redis_client: redis.Redis) -> None:
    open_house = passes(redis_client, tools=True)
    open_house.reach(rights(done=True), KEY)
    open_house.reach(rights(), KEY)

    assert passes(redis_client).read(KEY).rights == rights()


def test_the_key_is_not_stored_and_is_forgotten_hours_after_its_last_use(
    redis_client: redis.Redis,
) -> None:
    open_house = passes(redis_client)
    open_house.reach(rights(), KEY)
    (name,) = redis_client.keys("*")
    stored = name + redis_client.get(name)
    redis_client.pexpire(name, 1_000)

    assert KEY.encode() not in stored
    assert b"engineer:acc" not in stored
    open_house.read(KEY)
    assert 5 * 3_600_000 < redis_client.pttl(name) <= 6 * 3_600_000
