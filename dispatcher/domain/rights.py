"""What an agent may do in one turn: the same for its tools, its prompt and its HTTP calls."""

from dataclasses import dataclass, fields
from typing import Any, Final

from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.domain.notification import Context, Flags
from dispatcher.domain.policy import is_orchestrator, may_mark_done

_FLAGS: Final = tuple(one.name for one in fields(Flags))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Taken from the context of the turn, once.

    Attributes:
        task: The task of the turn; tools use it when they are given no other.
        may_mark_done: The task is in review and the agent has the right to close it.
    """

    agent: AgentId
    task: TaskId | None
    is_orchestrator: bool
    may_mark_done: bool
    flags: Flags


def rights_of(context: Context) -> Rights:
    """Read the rights of a turn off its context."""
    return Rights(
        agent=context.notification.recipient,
        task=context.task.task_id if context.task else None,
        is_orchestrator=is_orchestrator(context),
        may_mark_done=may_mark_done(context),
        flags=context.flags,
    )


def dump_rights(rights: Rights) -> dict[str, Any]:
    """Write rights as plain JSON."""
    return {
        "agent": rights.agent,
        "task": rights.task,
        "lead": rights.is_orchestrator,
        "done": rights.may_mark_done,
        "may": dump_flags(rights.flags),
    }


def load_rights(found: dict[str, Any]) -> Rights:
    """Read rights from plain JSON.

    Raises:
        KeyError, TypeError: It was not written by ``dump_rights``.
    """
    return Rights(
        agent=AgentId(found["agent"]),
        task=TaskId(found["task"]) if found["task"] else None,
        is_orchestrator=bool(found["lead"]),
        may_mark_done=bool(found["done"]),
        flags=load_flags(found["may"]),
    )


def dump_flags(flags: Flags) -> list[str]:
    """Write flags as the names of those that are set."""
    return [name for name in _FLAGS if getattr(flags, name)]


def load_flags(names: list[str]) -> Flags:
    """Read flags from the names of those that are set."""
    return Flags(**{name: name in set(names) for name in _FLAGS})
