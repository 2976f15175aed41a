"""`dispatcher run`: the runtime process."""

import click

from dispatcher.adapters.redis.connection import check_server, connect
from dispatcher.cli.common import Exit, complain, read_settings, without_tracebacks
from dispatcher.domain.errors import StoreUnavailable
from dispatcher.settings import Settings


@click.command()
@without_tracebacks
def run() -> int:
    """Run the runtime process: poller, sweeper and the HTTP side.

    It stops cleanly on SIGTERM and SIGINT. A Redis, Convex or gateway that is away is no reason to
    end: it says so at /health and goes on when they are back.
    """
    from dispatcher.runtime.process import run as run_process

    settings = read_settings("runtime")
    refuse_unusable_redis(settings)
    try:
        return run_process(settings)
    except OSError as error:
        complain(
            f"Cannot listen on {settings.health_host}:{settings.health_port}: "
            f"{error.strerror or error}. Set HEALTH_PORT (or HEALTH_HOST) to one that is free.",
            Exit.UNAVAILABLE,
        )


def refuse_unusable_redis(settings: Settings) -> None:
    """Refuse a Redis that would lose deliveries; one that is away may come back.

    Raises:
        StoreUnusable: It evicts, forgets, or is too old.
    """
    client = connect(settings.redis_url, max_connections=1)
    try:
        check_server(client, allow_volatile=settings.allow_volatile_redis)
    except StoreUnavailable:
        # The loops say so and go on when it is back.
        return
    finally:
        client.close()
