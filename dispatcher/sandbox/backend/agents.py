"""Agents, their profiles, their heartbeats and the tasks they look at then."""

from typing import Final

from dispatcher.sandbox.backend.access import (
    agent_of,
    effective_flags,
    orchestrator_of,
    own,
    settings_of,
)
from dispatcher.sandbox.backend.actions import Action, action, taken
from dispatcher.sandbox.backend.audit import Actor, Target, log
from dispatcher.sandbox.backend.sessions import session_key
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.threads import by_update
from dispatcher.sandbox.backend.validators import (
    AGENT,
    AGENT_STATUS,
    BOOLEAN,
    NUMBER,
    TASK,
    TASK_STATUS,
    ListOf,
    Optional,
)
from dispatcher.sandbox.backend.values import trim

_TASKS: Final = 50
_MAX_TASKS: Final = 200


def get_orchestrator(store: Store, args: Doc) -> Doc:
    """C.1: the credential probe."""
    with store.query() as tx:
        return {"orchestratorAgentId": orchestrator_of(tx, args["accountId"])}


def list_agents(store: Store, args: Doc) -> list[Doc]:
    """C.2: all agents, with their system sessions opened where missing."""
    with store.mutation() as tx:
        settings = settings_of(tx, args["accountId"])
        return [
            {
                **agent,
                "systemSessionKey": session_key(tx, agent, None),
                "effectiveBehaviorFlags": effective_flags(settings, agent),
            }
            for agent in tx.find("agents", accountId=args["accountId"])
        ]


def list_for_runtime(store: Store, args: Doc) -> list[Doc]:
    """C.3: what is written into the agents' workspaces."""
    with store.query() as tx:
        user_text = settings_of(tx, args["accountId"]).get("userMd", "")
        agents = tx.find("agents", accountId=args["accountId"])
        return [_profile(tx, agent, user_text) for agent in agents]


def _profile(tx: Transaction, agent: Doc, user_text: str) -> Doc:
    name, role = agent["name"], agent.get("role", "")
    soul = f"# SOUL — {name}\n\nYou are {name}, {role}."
    identity = f"# IDENTITY — {name}\n\nRole: {role}"
    people = "# User\n\nNothing is known about the people of this account yet."
    kept = ("_id", "name", "slug", "role", "openclawConfig")
    return {
        **{field: agent[field] for field in kept if field in agent},
        "effectiveSoulContent": trim(agent.get("soulContent", "")) or soul,
        "effectiveUserMd": trim(user_text) or people,
        "effectiveIdentityContent": trim(agent.get("identityContent", "")) or identity,
        "resolvedSkills": _skills(tx, agent),
    }


def _skills(tx: Transaction, agent: Doc) -> list[Doc]:
    kept = ("_id", "name", "slug", "description", "contentMarkdown")
    wanted = agent.get("openclawConfig", {}).get("skillIds", [])
    found = (own(tx.get("skills", skill), agent["accountId"]) for skill in wanted)
    return [
        {field: skill[field] for field in kept if field in skill}
        for skill in found
        if skill and skill["isEnabled"]
    ]


def heartbeat(store: Store, args: Doc) -> Doc:
    """C.4: sign of life of one agent; a task that is not named is forgotten."""
    with store.mutation() as tx:
        agent = agent_of(tx, args["accountId"], args["agentId"])
        changes = {"status": args["status"], "currentTaskId": args.get("currentTaskId")}
        tx.patch("agents", agent["_id"], {**changes, "lastHeartbeat": tx.now})
        if agent["status"] != args["status"]:
            target = Target("agent", agent["_id"], agent["name"])
            meta = {"oldStatus": agent["status"], "newStatus": args["status"], "heartbeat": True}
            log(tx, agent["accountId"], Actor.agent(agent), "agent_status_changed", target, meta)
        return {"success": True, "timestamp": tx.now}


def list_assigned(store: Store, args: Doc) -> list[Doc]:
    """C.5: tasks of one agent; only ``done`` is left out, unless asked for."""
    limit = int(min(args.get("limit", _TASKS), _MAX_TASKS))
    with store.query() as tx:
        agent = agent_of(tx, args["accountId"], args["agentId"])
        tasks = tx.find("tasks", accountId=args["accountId"])
    mine = [task for task in tasks if agent["_id"] in task["assignedAgentIds"]]
    if not args.get("includeDone", False):
        mine = [task for task in mine if task["status"] != "done"]
    # A negative limit cuts from the end, as JavaScript's slice does.
    return by_update(mine)[:limit]


def list_for_orchestrator(store: Store, args: Doc) -> list[Doc]:
    """C.6: recently updated tasks among the newest of each status."""
    limit = taken(min(args.get("limit", _TASKS), _MAX_TASKS))
    tasks: list[Doc] = []
    with store.query() as tx:
        for status in dict.fromkeys(args["statuses"]):
            where = {"accountId": args["accountId"], "status": status}
            tasks += tx.find("tasks", newest=True, limit=limit, **where)
    return by_update(tasks)[:limit]


ACTIONS: Final[dict[str, Action]] = {
    "getOrchestratorAgentId": action(get_orchestrator),
    "listAgents": action(list_agents),
    "listAgentsForRuntime": action(list_for_runtime),
    "updateAgentHeartbeat": action(
        heartbeat, agentId=AGENT, status=AGENT_STATUS, currentTaskId=Optional(TASK)
    ),
    "listAssignedTasksForAgent": action(
        list_assigned, agentId=AGENT, includeDone=Optional(BOOLEAN), limit=Optional(NUMBER)
    ),
    "listTasksForOrchestratorHeartbeat": action(
        list_for_orchestrator, statuses=ListOf(TASK_STATUS), limit=Optional(NUMBER)
    ),
}
