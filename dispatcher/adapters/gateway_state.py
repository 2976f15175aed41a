"""What a look at the gateway tells: whether it is ready, its version, and what is wrong."""

import re
from dataclasses import dataclass
from typing import Any, Final

import httpx

OLDEST: Final = (2026, 7)
"""The oldest gateway that runs our asks; the newest one tried is 2026.9.6."""

_LONGEST_VERSION: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """What a look at the gateway found.

    Attributes:
        is_ready: It would take an ask now.
        version: As it says itself, or None.
        problem: What is wrong and what to do, or None.
        is_too_old: It answers, but as a gateway that cannot run our asks.
    """

    is_ready: bool
    version: str | None
    problem: str | None = None
    is_too_old: bool = False


def state_of(ready: tuple[int, Any], started: tuple[int, Any]) -> GatewayState:
    """Make a state of what `/readyz` and `/startupz` answered: status and JSON, None when it is none."""
    status, facts = ready
    if status != httpx.codes.OK and not isinstance(facts, dict):
        return GatewayState(
            is_ready=False,
            version=None,
            problem=f"HTTP {status}: what answers is not the gateway itself. Does it run behind "
            "the proxy that OPENCLAW_GATEWAY_URL names?",
        )
    if not isinstance(facts, dict) or "ready" not in facts:
        return GatewayState(
            is_ready=False,
            version=None,
            is_too_old=True,
            problem="What answers there is no OpenClaw gateway of 2026.7 or later: "
            "it has no /readyz. Upgrade it (2026.9.6 is the version this program is made for).",
        )
    found = started[1].get("version") if isinstance(started[1], dict) else None
    version = found[:_LONGEST_VERSION] if isinstance(found, str) else None
    if version is not None and not is_supported(version):
        return GatewayState(
            is_ready=False,
            version=version,
            is_too_old=True,
            problem=f"Gateway {version} is too old: it does not run tools of requests and answers "
            "errors as replies. Upgrade to 2026.7 or later, best 2026.9.6.",
        )
    if status == 200 and facts["ready"] is True:
        return GatewayState(is_ready=True, version=version)
    failing = facts.get("failing")
    why = ", ".join(map(str, failing)) if isinstance(failing, list) else "it does not say why"
    return GatewayState(
        is_ready=False, version=version, problem=f"The gateway is not ready yet: {why[:200]}."
    )


def is_supported(version: str) -> bool:
    """Say whether we work with a gateway version; one that we cannot read passes."""
    found = re.match(r"v?(\d{4})\.(\d{1,2})\b", version)
    return found is None or (int(found[1]), int(found[2])) >= OLDEST
