"""`dispatcher doctor`: is everything there that the program needs?"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import click

from dispatcher.adapters.redis.connection import check_server
from dispatcher.cli.common import Exit, read_settings, without_tracebacks
from dispatcher.cli.screen import print_json
from dispatcher.domain.errors import BackendError, CredentialsRejected, StoreError
from dispatcher.settings import Settings
from dispatcher.wiring import Parts, wire


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; ``advice`` says what to do, when something is to be done."""

    name: str
    is_good: bool
    text: str
    advice: str = ""


@click.command(short_help="Check each thing that it needs.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@without_tracebacks
def doctor(*, is_json: bool) -> int:
    """Check each dependency: is it reachable, does it accept us, is its version right?

    Ends with exit code 0 when all is well and 1 otherwise.
    """
    settings = read_settings("doctor")
    parts = wire(settings)
    findings = list(_examine(settings, parts))
    parts.close()
    is_well = all(finding.is_good for finding in findings)
    if is_json:
        print_json({"well": is_well, "checks": [asdict(one) for one in findings]})
        return Exit.OK if is_well else Exit.FAILED
    for finding in findings:
        mark = click.style("ok  ", fg="green") if finding.is_good else click.style("FAIL", fg="red")
        click.echo(f"{mark} {finding.name:10} {finding.text}")
        if finding.advice:
            click.echo(f"     {'':10} {finding.advice}")
    return Exit.OK if is_well else Exit.FAILED


def _examine(settings: Settings, parts: Parts) -> Iterable[Finding]:
    yield Finding("settings", True, f"account {settings.account_id}")  # noqa: FBT003
    checks: tuple[Callable[[Settings, Parts], Iterable[Finding]], ...] = (_redis, _convex, _gateway)
    for check in checks:
        yield from check(settings, parts)


def _redis(settings: Settings, parts: Parts) -> Iterable[Finding]:
    try:
        version = check_server(parts.redis, allow_volatile=settings.allow_volatile_redis)
        parts.mailboxes.open()
        stats = parts.mailboxes.stats()
    except StoreError as error:
        yield Finding(
            "redis", is_good=False, text=str(error), advice="Is REDIS_URL right, and does it run?"
        )
        return
    yield Finding(
        "redis", is_good=True, text=f"{version}, {stats.open} open deliveries, {stats.dead} dead"
    )


def _convex(_settings: Settings, parts: Parts) -> Iterable[Finding]:
    try:
        orchestrator = parts.backend.probe()
    except CredentialsRejected as error:
        yield Finding(
            "convex",
            is_good=False,
            text=str(error),
            advice="Generate a service token for this account in the deployment of CONVEX_URL.",
        )
    except BackendError as error:
        yield Finding(
            "convex",
            is_good=False,
            text=str(error),
            advice="Is CONVEX_URL right, and is the token one of that deployment?",
        )
    else:
        lead = f"orchestrator {orchestrator}" if orchestrator else "no orchestrator is set"
        yield Finding("convex", is_good=True, text=f"accepts the token; {lead}")


def _gateway(settings: Settings, parts: Parts) -> Iterable[Finding]:
    state = parts.gateway.look()
    if not state.is_ready:
        yield Finding("gateway", is_good=False, text=state.problem or "is not ready")
        return
    accepted = parts.gateway.accepts_token()
    if accepted is False:
        yield Finding(
            "gateway",
            is_good=False,
            text=f"{state.version} does not accept the token",
            advice="OPENCLAW_GATEWAY_TOKEN must be gateway.auth.token of its openclaw.json.",
        )
        return
    version = state.version or "of an unknown version"
    if accepted is None:
        yield Finding(
            "gateway",
            is_good=False,
            text=f"{version} is ready, but does not say whether it accepts the token",
            advice="Look at its log: /v1/models must answer.",
        )
        return
    seconds = settings.openclaw_request_timeout_ms // 1000
    yield Finding("gateway", is_good=True, text=f"{version} is ready; an ask may take {seconds} s")
