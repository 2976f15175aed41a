"""The one place where ports meet adapters; opens them, closes them in reverse."""

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata

import redis
from dramatiq.middleware import Middleware
from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from dispatcher.adapters.bell import DramatiqBell, RingBroker, make_broker
from dispatcher.adapters.clock import MachineClock
from dispatcher.adapters.convex import ConvexBackend
from dispatcher.adapters.convex_actions import ConvexActions
from dispatcher.adapters.convex_tasks import ConvexTasks
from dispatcher.adapters.gateway import OpenClawGateway
from dispatcher.adapters.metrics import PrometheusTally
from dispatcher.adapters.redis.books import RedisBooks
from dispatcher.adapters.redis.connection import connect
from dispatcher.adapters.redis.controls import RedisControls
from dispatcher.adapters.redis.heartbeats import RedisHeartbeats
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.adapters.redis.passes import RedisPasses
from dispatcher.adapters.redis.pulses import RedisPulses
from dispatcher.adapters.redis.records import RedisRecords
from dispatcher.adapters.redis.restarts import RedisRestarts
from dispatcher.adapters.redis.roster import RedisRoster
from dispatcher.adapters.redis.survey import RedisSurvey
from dispatcher.adapters.turn_passes import TurnPasses
from dispatcher.adapters.turn_tokens import TurnTokens, signing_key
from dispatcher.domain.diagnosis import Limits
from dispatcher.domain.ids import AccountId
from dispatcher.domain.retry import Bounds
from dispatcher.settings import Settings

_SPARE_CONNECTIONS = 8
_HEALTH_S = 1.0
_FOR_PEOPLE = 16
_PEOPLE_WAIT_S = 2.0
CEILING_MARGIN = timedelta(minutes=2)


def package_version() -> str:
    """Return the version of the installed package."""
    return metadata.version("mission-control-dispatcher")


def milliseconds(number: int) -> timedelta:
    """Turn a setting into a duration."""
    return timedelta(milliseconds=number)


def claim_ceiling(settings: Settings) -> timedelta:
    """Return how long a turn may take at most: every round may use the whole time-out."""
    rounds = settings.delivery_max_tool_rounds + 1
    return rounds * milliseconds(settings.openclaw_request_timeout_ms) + CEILING_MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a process is put together from.

    Attributes:
        glance: A connection that gives up soon, for whoever asks for health.
        lookout, standing: The store, for health and metrics, over that connection.
        overlook, survey, records, controls: The store, for people; they give up soon as well, and
            however many look, health has a connection of its own.
        process: What this process is called: host and process id.
    """

    settings: Settings
    version: str
    process: str
    clock: MachineClock
    registry: CollectorRegistry
    tally: PrometheusTally
    glance: redis.Redis
    redis: redis.Redis
    mailboxes: RedisMailboxes
    lookout: RedisMailboxes
    standing: RedisSurvey
    overlook: RedisMailboxes
    books: RedisBooks
    controls: RedisControls
    records: RedisRecords
    survey: RedisSurvey
    pulses: RedisPulses
    broker: RingBroker
    bell: DramatiqBell
    backend: ConvexBackend
    actions: ConvexActions
    gateway: OpenClawGateway
    passes: TurnPasses
    roster: RedisRoster
    tasks: ConvexTasks
    heartbeats: RedisHeartbeats
    restarts: RedisRestarts
    bounds: Bounds
    limits: Limits
    closing: ExitStack

    def close(self) -> None:
        """Close all connections, the last opened first."""
        self.closing.close()


def wire(settings: Settings, *, middleware: tuple[Middleware, ...] = ()) -> Parts:
    """Put a process together; nothing is sent yet.

    Args:
        settings: Checked.
        middleware: What a worker adds to the broker.
    """
    # One more series for each counter, that nobody asked for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    account = AccountId(settings.account_id)
    clock, closing = MachineClock(), ExitStack()
    client = connect(settings.redis_url)
    closing.callback(client.close)
    # Who asks for health must not wait for a Redis that hangs.
    impatient = connect(settings.redis_url, max_connections=_SPARE_CONNECTIONS, timeout_s=_HEALTH_S)
    closing.callback(impatient.close)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    version = settings.runtime_version or package_version()
    process = f"{socket.gethostname()}:{os.getpid()}"
    mailboxes = RedisMailboxes(
        client,
        account=account,
        lease=milliseconds(settings.delivery_lease_ms),
        worker=process,
        dead_limit=settings.dead_letter_limit,
        caps=(settings.delivery_max_concurrent_sessions, settings.agent_cap),
    )
    for_people = connect(settings.redis_url, max_connections=_FOR_PEOPLE, timeout_s=_PEOPLE_WAIT_S)
    closing.callback(for_people.close)
    lookout, overlook = (
        RedisMailboxes(
            one, account=account, lease=milliseconds(settings.delivery_lease_ms), worker="-"
        )
        for one in (impatient, for_people)
    )
    broker = make_broker(client, account=account, middleware=middleware)
    tally = PrometheusTally(registry, version=version, clock=clock)
    backend = ConvexBackend(
        url=settings.convex_url,
        account=account,
        token=settings.service_token,
        clock=clock,
        observe=tally.called_backend,
    )
    closing.callback(backend.close)
    gateway = OpenClawGateway(
        url=settings.openclaw_gateway_url,
        token=settings.gateway_bearer,
        timeout=milliseconds(settings.openclaw_request_timeout_ms),
        clock=clock,
    )
    closing.callback(gateway.close)
    bounds = Bounds(
        max_attempts=settings.delivery_max_attempts,
        backoff_base=milliseconds(settings.delivery_backoff_base_ms),
        backoff_max=milliseconds(settings.delivery_backoff_max_ms),
    )
    return Parts(
        settings=settings,
        version=version,
        process=process,
        clock=clock,
        registry=registry,
        tally=tally,
        redis=client,
        glance=impatient,
        mailboxes=mailboxes,
        lookout=lookout,
        standing=RedisSurvey(lookout.steps),
        overlook=overlook,
        books=RedisBooks(client, mailboxes.steps),
        controls=RedisControls(for_people, overlook.steps),
        records=RedisRecords(for_people, overlook.steps),
        survey=RedisSurvey(overlook.steps),
        pulses=RedisPulses(client, mailboxes.steps),
        broker=broker,
        bell=DramatiqBell(broker),
        backend=backend,
        actions=ConvexActions(backend),
        gateway=gateway,
        roster=RedisRoster(client, mailboxes.steps),
        tasks=ConvexTasks(backend),
        heartbeats=RedisHeartbeats(client, mailboxes.steps),
        restarts=RedisRestarts(client, mailboxes.steps.prefix),
        passes=_make_passes(settings, client, mailboxes.steps.prefix, clock),
        bounds=bounds,
        limits=Limits(
            failures=settings.degraded_after_failures,
            wait=milliseconds(settings.degraded_after_wait_ms),
        ),
        closing=closing,
    )


def _make_passes(
    settings: Settings, client: redis.Redis, prefix: str, clock: MachineClock
) -> TurnPasses:
    key = signing_key(settings.turn_token_key, settings.service_token)
    # Tokens are for turns without tools, which have one ask.
    life = milliseconds(settings.openclaw_request_timeout_ms) + CEILING_MARGIN
    accepts_keys = settings.agent_endpoints_legacy_auth
    return TurnPasses(
        TurnTokens(key, life=life, clock=clock),
        base_url=settings.base_url_for_agents,
        has_client_tools=settings.openclaw_client_tools_enabled,
        legacy=RedisPasses(client, prefix) if accepts_keys else None,
    )
