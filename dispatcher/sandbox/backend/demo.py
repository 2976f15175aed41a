"""A small account to try things with: one person, a crew of three, one task."""

from typing import Final

from dispatcher.sandbox.backend.human.world import World
from dispatcher.sandbox.backend.store import Doc, Store

_NAME: Final = "Demo"
_SLUG: Final = "demo"
_CREW: Final = (
    ("Engineer", "engineer", "Full-stack developer"),
    ("Writer", "writer", "Technical writer"),
    ("Squad Lead", "squad-lead", "Squad lead"),
)
_WELCOME: Final = "Mention @engineer, @writer or @squad-lead to hear from one of them."


def seed(store: Store, world: World) -> Doc:
    """Create the demo account, or find it again with a fresh token.

    Returns:
        ``{"accountId", "serviceToken", "userId", "taskId", "agents": {slug: id}}``
    """
    with store.query() as tx:
        known = tx.first("accounts", slug=_SLUG)
    if known is not None:
        # Only the hash of the old token is stored, so that one cannot be shown again.
        token = world.rotate_token(known["_id"])
        return {"serviceToken": token, **_known(store, known["_id"])}
    account = world.create_account(_NAME)
    account_id: str = account["accountId"]
    user = world.create_member(account_id, "Alex", "alex@example.com", "owner")
    agents = {slug: world.create_agent(account_id, name, slug, role) for name, slug, role in _CREW}
    world.set_orchestrator(account_id, agents["squad-lead"])
    task = world.create_task(account_id, "Welcome", description=_WELCOME, by=user)
    return {**account, "userId": user, "taskId": task, "agents": agents}


def _known(store: Store, account: str) -> Doc:
    with store.query() as tx:
        member = tx.first("memberships", accountId=account)
        task = tx.first("tasks", accountId=account)
        agents = tx.find("agents", accountId=account)
    return {
        "accountId": account,
        "userId": member and member["userId"],
        "taskId": task and task["_id"],
        "agents": {agent["slug"]: agent["_id"] for agent in agents},
    }
