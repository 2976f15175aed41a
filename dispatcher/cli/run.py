"""`dispatcher run`: the runtime process."""

import click

from dispatcher.adapters.redis.connection import check_server, connect
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.cli.common import Exit, complain, read_settings, without_tracebacks
from dispatcher.domain.errors import StoreUnavailable
from dispatcher.domain.ids import AccountId
from dispatcher.settings import Settings
from dispatcher.wiring import milliseconds


@click.command(short_help="Run the runtime: poller, sweeper, HTTP.")
@without_tracebacks
def run() -> int:
    """Run the runtime process: poller, sweeper and the HTTP side.

    It stops cleanly on SIGTERM and SIGINT. A Redis, Convex or gateway that is away is no reason to
    end: it says so at /health and goes on when they are back.

    Exit codes: 0 after a clean stop or a restart request, 69 when Redis cannot be used or the port
    is taken, 70 when a loop of its own hangs, 78 when the settings cannot be used.
    """
    from dispatcher.runtime.process import run as run_process

    settings = read_settings("runtime")
    refuse_unusable_redis(settings)
    try:
        return run_process(settings)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        complain(
            f"Cannot listen on {settings.health_host}:{settings.health_port}: {why}. "
            "Set HEALTH_HOST to an address of this machine and HEALTH_PORT to one that is free.",
            Exit.UNAVAILABLE,
        )


def refuse_unusable_redis(settings: Settings) -> None:
    """Refuse a Redis that would lose deliveries; one that is away may come back.

    Raises:
        StoreUnusable: It evicts, forgets, is too old, or was laid out by a newer program.
    """
    client = connect(settings.redis_url, max_connections=1)
    mailboxes = RedisMailboxes(
        client,
        account=AccountId(settings.account_id),
        lease=milliseconds(settings.delivery_lease_ms),
        worker="start",
    )
    try:
        check_server(client, allow_volatile=settings.allow_volatile_redis)
        mailboxes.open()
    except StoreUnavailable:
        # The loops say so and go on when it is back.
        return
    finally:
        client.close()
