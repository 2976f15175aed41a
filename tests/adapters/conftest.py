"""What the tests of the borders share: servers, adapters, a claim, and logs put back as before."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from dispatcher.adapters.clock import MachineClock
from dispatcher.adapters.convex import ConvexBackend
from dispatcher.adapters.gateway import OpenClawGateway
from dispatcher.domain.delivery import Claim, entry_of
from dispatcher.domain.ids import AccountId
from dispatcher.sandbox.backend.server import SandboxBackend
from dispatcher.sandbox.gateway.server import ScriptedGateway
from tests.adapters.convex_office import ACCOUNT, TOKEN, Adapt, Office
from tests.adapters.gateway_desk import Desk
from tests.adapters.raw_server import Play, RawServer, always
from tests.samples import notification

CROWD = ("engineer", "writer", "squad-lead")


@pytest.fixture
def raw() -> Iterator[Callable[[Play], RawServer]]:
    """Start raw servers; all are stopped after the test."""
    with ExitStack() as stack:
        yield lambda play: stack.enter_context(RawServer(play))


@pytest.fixture
def claim() -> Claim:
    entry = entry_of(notification())
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return Claim(
        conversation=entry.conversation,
        token="claim-1",
        delivery=entry.delivery,
        entry=entry,
        attempts=0,
        waits=0,
        unanswered=0,
        looks=0,
        strikes=0,
        put_at=now,
        claimed_at=now,
        row_key_user=None,
        journal_text="",
    )


# The backend's adapter


@pytest.fixture
def adapt() -> Iterator[Adapt]:
    """Make adapters; all their connections are closed after the test."""
    made: list[ConvexBackend] = []

    def make(url: str, account: str = ACCOUNT, token: str = TOKEN, **more: Any) -> ConvexBackend:
        made.append(
            ConvexBackend(
                url=url,
                account=AccountId(account),
                token=SecretStr(token),
                clock=MachineClock(),
                **more,
            )
        )
        return made[-1]

    yield make
    for backend in made:
        backend.close()


@pytest.fixture(scope="session")
def closer() -> Iterator[ThreadPoolExecutor]:
    """Stops sandboxes off the path of the tests: a listener takes a while to notice."""
    with ThreadPoolExecutor(2) as closer:
        yield closer


@pytest.fixture
def backend(closer: ThreadPoolExecutor) -> Iterator[SandboxBackend]:
    backend = SandboxBackend().start()
    yield backend
    closer.submit(backend.stop)


@pytest.fixture
def office(backend: SandboxBackend, adapt: Adapt) -> Office:
    return Office(backend, adapt)


@pytest.fixture
def answered(raw: Callable[[Play], RawServer], adapt: Adapt) -> Callable[..., ConvexBackend]:
    """Give an adapter whose backend answers every call with these bytes."""
    return lambda *data, **more: adapt(raw(always(*data)).url, **more)


# The gateway's adapter


@pytest.fixture
def desk_at(claim: Claim) -> Iterator[Callable[..., Desk]]:
    """Make adapters; all their connections are closed after the test."""
    made: list[OpenClawGateway] = []

    def make(url: str, *, token: str | None = None, timeout_s: float = 10.0) -> Desk:
        gateway = OpenClawGateway(
            url=url,
            token=None if token is None else SecretStr(token),
            timeout=timedelta(seconds=timeout_s),
            clock=MachineClock(),
        )
        made.append(gateway)
        return Desk(gateway, claim)

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedGateway]]:
    """Start scripted gateways; all are stopped after the test."""
    running: list[ScriptedGateway] = []

    def start(**settings: Any) -> ScriptedGateway:
        running.append(ScriptedGateway(**({"agents": CROWD} | settings)).start())
        return running[-1]

    yield start
    for gateway in running:
        gateway.stop()


@pytest.fixture
def gateway(scripted: Callable[..., ScriptedGateway]) -> ScriptedGateway:
    return scripted()


@pytest.fixture
def desk(gateway: ScriptedGateway, desk_at: Callable[..., Desk]) -> Desk:
    return desk_at(gateway.url)


@pytest.fixture
def beside() -> Iterator[Callable[..., "Future[Any]"]]:
    """Run calls beside the test."""
    with ThreadPoolExecutor(8) as pool:
        yield pool.submit
