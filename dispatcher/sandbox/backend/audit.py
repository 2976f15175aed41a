"""Who did something, and the activity rows that tell of it."""

from dataclasses import dataclass
from typing import Final, Self

from dispatcher.sandbox.backend.store import Doc, Transaction


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone who acts.

    Attributes:
        kind: ``user``, ``agent`` or ``system``.
        id: User id or agent id; ``system`` for the system.
        name: As shown to people, at the time of acting.
    """

    kind: str
    id: str
    name: str

    @classmethod
    def agent(cls, agent: Doc) -> Self:
        """Take an agent as the one who acts."""
        return cls("agent", agent["_id"], agent["name"])

    @classmethod
    def member(cls, member: Doc) -> Self:
        """Take a person as the one who acts."""
        return cls("user", member["userId"], member["userName"])


SYSTEM: Final = Actor("system", "system", "System")


@dataclass(frozen=True, slots=True)
class Target:
    """What was acted upon.

    Attributes:
        kind: ``task``, ``message``, ``document``, ``agent``, ``account`` or ``membership``.
        id: Its id.
        name: Its name at that time.
    """

    kind: str
    id: str
    name: str | None

    @classmethod
    def task(cls, task: Doc) -> Self:
        """Take a task as the target."""
        return cls("task", task["_id"], task["title"])


def log(
    tx: Transaction, account: str, actor: Actor, kind: str, target: Target, meta: Doc | None = None
) -> None:
    """Append an activity; members of ``meta`` that are None are left out."""
    tx.insert(
        "activities",
        {
            "accountId": account,
            "type": kind,
            "actorType": actor.kind,
            "actorId": actor.id,
            "actorName": actor.name,
            "targetType": target.kind,
            "targetId": target.id,
            "targetName": target.name,
            "meta": meta and {name: value for name, value in meta.items() if value is not None},
            "createdAt": tx.now,
        },
    )
