"""One call that is about to be run, and the rules of reading its arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.domain.rights import Rights
from dispatcher.domain.tools import CallRefused, Fault
from dispatcher.ports import Actions, Directory

Content = Mapping[str, Any]
"""What an agent is told: JSON with ``success``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A call with everything that it needs.

    Attributes:
        arguments: Of the types that the tool's schema names; a missing one is not there.
    """

    arguments: Mapping[str, Any]
    rights: Rights
    actions: Actions
    directory: Directory

    @property
    def agent(self) -> AgentId:
        """Return who acts."""
        return self.rights.agent

    def text(self, name: str) -> str:
        """Return a text without blanks around it; empty when it is missing."""
        return str(self.arguments.get(name, "")).strip()

    def task(self, *, or_that_of_turn: bool = False, at_endpoint: str = "") -> TaskId:
        """Return the task that the call is about.

        Args:
            or_that_of_turn: Without an argument it is the task of the turn.
            at_endpoint: What a caller over HTTP is told when there is none.

        Raises:
            CallRefused: There is none.
        """
        named = self.text("taskId")
        if named:
            return TaskId(named)
        if or_that_of_turn and self.rights.task is not None:
            return self.rights.task
        raise missing("taskId is required", at_endpoint)

    def bounded(self, **most: int) -> dict[str, int]:
        """Return the limits that were given, as whole numbers from 1 to so many."""
        given = {name: self.arguments[name] for name in most if name in self.arguments}
        return {name: min(max(int(value), 1), most[name]) for name, value in given.items()}

    def agents(self, name: str) -> list[AgentId]:
        """Return the agents whose slugs were given.

        Raises:
            CallRefused: Nobody has one of the slugs.
        """
        wanted = slugs_of(self.arguments.get(name, ()))
        if not wanted:
            return []
        known = {agent.slug.lower(): agent.agent_id for agent in self.directory.agents()}
        unknown = [slug for slug in wanted if slug not in known]
        if unknown:
            raise CallRefused(f"Unknown assignee slugs: {', '.join(unknown)}")
        return [known[slug] for slug in wanted]


def missing(text: str, at_endpoint: str = "") -> CallRefused:
    """Say that an argument is missing."""
    return CallRefused(text, fault=Fault.MISSING, at_endpoint=at_endpoint)


def forbidden(text: str) -> CallRefused:
    """Say that the agent may not do this."""
    return CallRefused(text, fault=Fault.FORBIDDEN)


def not_one_of(what: str, allowed: tuple[str, ...]) -> CallRefused:
    """Say which words are allowed."""
    *first, last = allowed
    return CallRefused(
        f"Invalid {what}: must be one of {', '.join(allowed)}",
        at_endpoint=f"Invalid {what}: must be {', '.join(first)}, or {last}",
    )


def slugs_of(given: Any) -> list[str]:  # noqa: ANN401 - a list of texts
    """Return slugs as the crew is known by: without ``@``, in lower case, each once."""
    bare = (str(one).strip().removeprefix("@").lower() for one in given)
    return list(dict.fromkeys(filter(None, bare)))
