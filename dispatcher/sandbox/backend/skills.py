"""Which agent has which skills."""

from datetime import UTC, datetime
from typing import Final

from dispatcher.sandbox.backend.actions import Action, action
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.validators import AGENT, Optional


def get_skills(store: Store, args: Doc) -> list[Doc]:
    """Skills of one agent or of all, in creation order."""
    account = args["accountId"]
    with store.query() as tx:
        _agent(tx, account, args["agentId"], "Requesting agent", "Agent")
        if "queryAgentId" in args:
            wanted = args["queryAgentId"]
            return [_row(_agent(tx, account, wanted, "Target agent", "Target agent"))]
        return [_row(agent) for agent in tx.find("agents", accountId=account)]


def _agent(tx: Transaction, account: str, agent_id: str, missing: str, foreign: str) -> Doc:
    agent = tx.get("agents", agent_id)
    if agent is None:
        refuse(f"Not found: {missing} does not exist")
    if agent["accountId"] != account:
        refuse(f"Forbidden: {foreign} belongs to different account")
    return agent


def _row(agent: Doc) -> Doc:
    skills = agent.get("openclawConfig", {}).get("skillIds", [])
    changed_ms: float = agent["lastHeartbeat"] if "lastHeartbeat" in agent else agent["createdAt"]
    changed = datetime.fromtimestamp(changed_ms / 1000, UTC)
    return {
        "agentId": agent["slug"] or agent["_id"],
        "skillIds": skills,
        "skillCount": len(skills),
        "lastUpdated": changed.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


ACTIONS: Final[dict[str, Action]] = {
    "getAgentSkillsForTool": action(get_skills, agentId=AGENT, queryAgentId=Optional(AGENT)),
}
