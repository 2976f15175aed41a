"""Who is mentioned in a message, by the backend's rules as far as agents are concerned.

The backend tells subscribers nothing of a message that mentions agents: those have rows of their
own. So whether a person's message was in a row can be read off its text.
"""

import re
from collections.abc import Iterable
from typing import Final

from dispatcher.domain.ids import AgentId
from dispatcher.domain.notification import Agent

_FENCED: Final = re.compile(r"```.*?```", re.DOTALL)
_INLINE: Final = re.compile(r"`.*?`", re.DOTALL)
_QUOTED_LINE: Final = re.compile(r"^[^\S\n]*>.*$", re.MULTILINE)
_EVERYONE: Final = re.compile(r"@all(?!\w)", re.IGNORECASE | re.ASCII)


def mentioned_agents(text: str, crew: Iterable[Agent]) -> frozenset[AgentId]:
    """List the agents that a text mentions by slug or name; of two that fit, the longer name wins.

    Args:
        text: As it was written; code and quoted lines mention nobody.
        crew: All agents of the account.
    """
    plain = _QUOTED_LINE.sub("", _INLINE.sub("", _FENCED.sub("", text)))
    members = tuple(crew)
    if _EVERYONE.search(plain):
        return frozenset(agent.agent_id for agent in members)
    found = set()
    for at in (match.end() for match in re.finditer("@", plain)):
        fitting = [
            (len(name), agent.agent_id)
            for agent in members
            for name in (agent.slug, agent.name)
            if name and _stands_at(plain, at, name)
        ]
        if fitting:
            found.add(max(fitting)[1])
    return frozenset(found)


def _stands_at(text: str, at: int, name: str) -> bool:
    pattern = rf'(?:"{re.escape(name)}"|{re.escape(name)}(?![\w-]))'
    return re.compile(pattern, re.IGNORECASE | re.ASCII).match(text, at) is not None
