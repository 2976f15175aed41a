"""Who is assigned to a task, and the subscriptions that follow."""

from collections.abc import Iterable, Sequence

from dispatcher.sandbox.backend.access import own
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.fanout import subscribe, unsubscribe
from dispatcher.sandbox.backend.store import Doc, Transaction


def check_agents(tx: Transaction, account: str, agents: Iterable[str]) -> None:
    """Throw when one of the agents is not of this account."""
    for agent in agents:
        if own(tx.get("agents", agent), account) is None:
            refuse(f"Invalid agent: {agent}")


def check_users(tx: Transaction, account: str, users: Iterable[str]) -> None:
    """Throw when one of the users is not a member of this account."""
    for user in users:
        if tx.first("memberships", accountId=account, userId=user) is None:
            refuse(f"Invalid user: {user} is not a member of this account")


def newcomers(before: Doc, after: Doc) -> list[tuple[str, str]]:
    """List who is assigned now and was not before, users first."""
    return _difference(after, before)


def synchronise(tx: Transaction, before: Doc, after: Doc, orchestrator: str | None) -> None:
    """Subscribe new assignees and unsubscribe former ones, but never the orchestrator."""
    for kind, subscriber in _difference(before, after):
        if (kind, subscriber) != ("agent", orchestrator):
            unsubscribe(tx, after, subscriber)
    for kind, subscriber in _difference(after, before):
        subscribe(tx, after, kind, subscriber)


def unique(ids: Sequence[str]) -> list[str]:
    """Drop repetitions, keeping the order."""
    return list(dict.fromkeys(ids))


def _difference(one: Doc, other: Doc) -> list[tuple[str, str]]:
    users = [("user", u) for u in one["assignedUserIds"] if u not in other["assignedUserIds"]]
    agents = [("agent", a) for a in one["assignedAgentIds"] if a not in other["assignedAgentIds"]]
    return users + agents
