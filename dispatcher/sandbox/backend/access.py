"""Who is asking and what they may: agents, tasks, the orchestrator, flags, QA."""

import re
from typing import Final

from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.store import Doc, Transaction

CHAT_LABEL: Final = "system:orchestrator-chat"
DEFAULT_FLAGS: Final = {
    "canCreateTasks": False,
    "canModifyTaskStatus": True,
    "canCreateDocuments": True,
    "canMentionAgents": True,
    "canReviewTasks": False,
    "canMarkDone": False,
}
_QA_ROLE: Final = re.compile(r"\bqa\b|quality assurance|quality\b", re.IGNORECASE | re.ASCII)


def agent_of(tx: Transaction, account: str, agent_id: str) -> Doc:
    """Return an agent of this account, or throw."""
    agent = tx.get("agents", agent_id)
    if agent is None:
        refuse("Not found: Agent does not exist")
    if agent["accountId"] != account:
        refuse("Forbidden: Agent belongs to different account")
    return agent


def task_of(tx: Transaction, account: str, task_id: str) -> Doc:
    """Return a task of this account, or throw."""
    task = tx.get("tasks", task_id)
    if task is None:
        refuse("Not found: Task does not exist")
    if task["accountId"] != account:
        refuse("Forbidden: Task belongs to different account")
    return task


def own(doc: Doc | None, account: str) -> Doc | None:
    """Return a document only when it belongs to this account."""
    return doc if doc is not None and doc["accountId"] == account else None


def account_of(tx: Transaction, account: str) -> Doc:
    """Return the account itself, or throw."""
    doc = tx.get("accounts", account)
    if doc is None:
        refuse("Not found: Account does not exist")
    return doc


def settings_of(tx: Transaction, account: str) -> Doc:
    """Return the account's settings, empty when it has none."""
    settings: Doc = account_of(tx, account).get("settings", {})
    return settings


def orchestrator_of(tx: Transaction, account: str) -> str | None:
    """Return the id of the squad lead, if one is set."""
    return settings_of(tx, account).get("orchestratorAgentId")


def require_orchestrator(tx: Transaction, account: str, agent_id: str, what: str) -> None:
    """Throw unless this agent is the account's orchestrator."""
    if orchestrator_of(tx, account) != agent_id:
        refuse(f"Forbidden: Only the orchestrator can {what}")


def is_chat(settings: Doc, task: Doc) -> bool:
    """Say whether a task is the orchestrator chat, by label or by setting."""
    return CHAT_LABEL in task["labels"] or settings.get("orchestratorChatTaskId") == task["_id"]


def is_qa(agent: Doc) -> bool:
    """Say whether an agent counts as quality assurance."""
    return agent["slug"].lower() == "qa" or bool(_QA_ROLE.search(agent.get("role", "")))


def effective_flags(settings: Doc, agent: Doc | None) -> Doc:
    """Resolve the behaviour flags: agent, then account, then built in."""
    stored: Doc = ((agent or {}).get("openclawConfig") or {}).get("behaviorFlags") or {}
    shared: Doc = (settings.get("agentDefaults") or {}).get("behaviorFlags") or {}
    flags: Doc = {
        name: stored.get(name, shared.get(name, default)) for name, default in DEFAULT_FLAGS.items()
    }
    if "requiresApprovalForActions" in stored:
        flags["requiresApprovalForActions"] = stored["requiresApprovalForActions"]
    return flags


def may(tx: Transaction, agent: Doc, flag: str) -> bool:
    """Say whether a flag is on for an agent."""
    return bool(effective_flags(settings_of(tx, agent["accountId"]), agent)[flag])
