"""`dispatcher dev`: the whole program on this machine, without Docker, accounts or keys."""

import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import httpx

from dispatcher.cli.common import Exit, complain, without_tracebacks
from dispatcher.domain.redact import redact
from dispatcher.lab.redis_server import NoRedisServer, free_port
from dispatcher.lab.stack import Stack, StackFailed
from dispatcher.lab.story import follow
from dispatcher.settings import given_parts

_SAMPLE = "@engineer hello! Can you see this?"
_PORT = 3001


@click.command(short_help="Run everything on this machine, with a sandbox.")
@click.option("--once", metavar="TEXT", help="Post TEXT, show each step and the reply, and end.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port of the console; {_PORT} unless it is taken.",
)
@click.option(
    "--delay", type=click.FloatRange(0, 600), default=0.5, show_default=True,
    help="How long the sandbox's agents think, in seconds.",
)  # fmt: skip
@click.option(
    "--wait", type=click.FloatRange(1, 3600), default=60, show_default=True,
    help="How long to wait for the reply, in seconds.",
)  # fmt: skip
@without_tracebacks
def dev(once: str | None, port: int | None, delay: float, wait: float) -> int:
    """Run everything on this machine: Redis, a sandbox, the runtime and a worker.

    The sandbox stands in for Convex and for the gateway. Any part is replaced by a real one when
    its variable is set: REDIS_URL, CONVEX_URL (with ACCOUNT_ID and SERVICE_TOKEN) or
    OPENCLAW_GATEWAY_URL (with OPENCLAW_GATEWAY_TOKEN). A file .env is not read.

    \b
    Examples:
      dispatcher dev
      dispatcher dev --once "@engineer hello"
    """  # noqa: D301 - click's mark for lines that are not to be wrapped
    settings = given_parts() | {"HEALTH_PORT": str(_chosen_port(port))}
    if once is not None and "CONVEX_URL" in settings:
        raise click.UsageError("--once needs the sandbox's backend: unset CONVEX_URL.")
    with (
        _interruptible() as interrupted,
        tempfile.TemporaryDirectory(prefix="dispatcher-") as folder,
    ):
        stack = Stack(Path(folder), settings=settings, sandbox_arguments=("--delay", str(delay)))
        click.echo("Starting Redis, the sandbox, the runtime and a worker …", err=True)
        try:
            stack.start()
        except (NoRedisServer, StackFailed, RuntimeError, OSError) as error:
            complain(str(error), Exit.FAILED)
        except KeyboardInterrupt:
            return Exit.FAILED
        try:
            if once is not None:
                return _tell_once(stack, once, limit_s=wait)
            return _stay(stack, Path(folder), interrupted, limit_s=wait)
        except KeyboardInterrupt:
            return Exit.OK if once is None else Exit.FAILED
        except (httpx.HTTPError, StackFailed) as error:
            complain(f"The sandbox does not answer ({type(error).__name__}).", Exit.FAILED)
        finally:
            click.echo("Stopping …", err=True)
            stack.stop()


def _stay(stack: Stack, folder: Path, interrupted: threading.Event, *, limit_s: float) -> int:
    click.echo(f"\n  Console    {stack.url}/")
    if stack.has_sandbox:
        click.echo(f"  Threads    {stack.url}/threads    write to the agents here")
    click.echo(f"  Sign in    {stack.settings['CONSOLE_TOKEN']}    to pause, revive or discard")
    click.echo(f"  Health     {stack.url}/health")
    click.echo(f"  Metrics    {stack.url}/metrics")
    click.echo(f"  Redis      {redact(stack.settings['REDIS_URL'])}")
    click.echo(f"  Convex     {stack.settings['CONVEX_URL']}{_mark('backend', stack)}")
    click.echo(f"  Gateway    {stack.settings['OPENCLAW_GATEWAY_URL']}{_mark('gateway', stack)}")
    click.echo(f"  Logs       {folder}/*.log\n")
    if stack.has_sandbox:
        _tell_once(stack, _SAMPLE, limit_s=limit_s)
    click.echo("\nCtrl-C stops everything.")
    while not interrupted.wait(0.5):
        for child in (stack.runtime, *stack.workers):
            if child is not None and child.exit_code is not None:
                click.echo(f"{child.name} ended by itself:\n{child.log_tail()}", err=True)
                return Exit.FAILED
    return Exit.OK


def _tell_once(stack: Stack, text: str, *, limit_s: float) -> int:
    """Post a message and print each step; say where it stuck when no reply comes."""
    began = time.monotonic()
    click.echo(f"  0.0 s  Alex: {text}")
    message = stack.human("post_message", task=stack.sandbox["taskId"], content=text)
    has_reply, last = False, "the message was posted"
    for step in follow(stack, message, limit_s=limit_s):
        has_reply = has_reply or step.is_reply
        last = step.text
        click.echo(f"{time.monotonic() - began:5.1f} s  {step.text}")
        if step.is_end:
            break
    if has_reply:
        return Exit.OK
    click.echo(f"No reply came. The last step was: {last}.", err=True)
    for child in (stack.runtime, *stack.workers):
        if child is not None:
            click.echo(f"--- the last lines of {child.name}:\n{child.log_tail(5)}", err=True)
    return Exit.FAILED


def _mark(part: str, stack: Stack) -> str:
    return "  (sandbox)" if part in stack.sandbox else ""


def _chosen_port(wanted: int | None) -> int:
    """Take the wanted port; the usual one may be replaced, one that was asked for may not."""
    port = wanted or _PORT
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            if wanted is not None:
                complain(f"Port {port} is in use; choose another one with --port.", Exit.FAILED)
            other = free_port()
            click.echo(f"Port {port} is in use by another program; {other} is used.", err=True)
            return other
    return port


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn SIGTERM and SIGINT into a KeyboardInterrupt, and let a waiting loop end at once.

    SIGINT as well: a shell that starts a program in the background lets it ignore that signal.
    """
    interrupted = threading.Event()

    def stop(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interrupted
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
