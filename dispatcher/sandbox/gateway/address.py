"""Which agent and which session an ask goes to."""

import re
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from dispatcher.sandbox.gateway.checks import BadRequest, Nameless
from dispatcher.sandbox.gateway.schema import Ask

_AGENT: Final = r"[a-z0-9][a-z0-9_-]{0,63}"
_KEY: Final = re.compile(rf"agent:({_AGENT}):(.+)", re.DOTALL)
_MODEL: Final = re.compile(rf"(?:openclaw/|openclaw:|agent:)({_AGENT})")
_RESERVED: Final = re.compile(r"(?:agent:[^:]*:)?(?:subagent|cron|acp):")
_WHOEVER: Final = frozenset({"", "openclaw", "openclaw/default"})
_NO_OWNER: Final = (
    "Multiple agents are configured, but this operation has no explicit owner. Select an agent "
    "explicitly."
)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where an ask goes.

    Attributes:
        agent: Who answers.
        session_key: In lower case, always ``agent:<agent>:<rest>``.
    """

    agent: str
    session_key: str


def find_address(
    ask: Ask,
    header: Callable[[str], str | None],
    agents: Collection[str] | None,
    previous: Callable[[str], str | None],
) -> Address:
    """Find agent and session: the key decides, then the header for the agent, then the model.

    Args:
        ask: The checked request.
        header: Reads a header of the request.
        agents: The configured agents; None when any will do.
        previous: Finds the session of an earlier response.

    Raises:
        BadRequest: The model or the agent is unknown, or the key is reserved.
        Nameless: The key is not one of an agent.
    """
    model_agent = _agent_of_model(ask.model, agents)
    key = (header("x-openclaw-session-key") or "").strip().lower()
    if key:
        return _address_of_key(key, agents)
    named = header("x-openclaw-agent-id")
    agent = _known(named.strip().lower(), agents) if named else model_agent
    if ask.user is not None:
        rest = f"openresponses-user:{ask.user.lower()}"
        return Address(agent=agent, session_key=f"agent:{agent}:{rest}")
    continued = previous(ask.previous) if ask.previous is not None else None
    if continued is not None and continued.startswith(f"agent:{agent}:"):
        return Address(agent=agent, session_key=continued)
    return Address(agent=agent, session_key=f"agent:{agent}:openresponses:{uuid.uuid4()}")


def _address_of_key(key: str, agents: Collection[str] | None) -> Address:
    if _RESERVED.match(key):
        raise BadRequest(
            "`x-openclaw-session-key` cannot use reserved internal session namespaces."
        )
    found = _KEY.fullmatch(key)
    if found is None or (agents is not None and found.group(1) not in agents):
        raise Nameless
    return Address(agent=found.group(1), session_key=key)


def _agent_of_model(model: str, agents: Collection[str] | None) -> str:
    name = model.strip().lower()
    if name in _WHOEVER:
        if agents is None or len(agents) != 1:
            raise BadRequest(_NO_OWNER)
        return next(iter(agents))
    found = _MODEL.fullmatch(name)
    if found is None:
        raise BadRequest("Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.")
    return _known(found.group(1), agents)


def _known(agent: str, agents: Collection[str] | None) -> str:
    if agents is not None and agent not in agents:
        raise BadRequest(f"Unknown agent '{agent}'.")
    return agent
