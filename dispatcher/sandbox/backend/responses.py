"""Requests of one agent for the response of others, at most one open for each."""

from typing import Final

from dispatcher.sandbox.backend.access import agent_of, may, task_of
from dispatcher.sandbox.backend.actions import Action, action, at_most
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.fanout import notify
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.validators import AGENT, STRING, TASK, ListOf
from dispatcher.sandbox.backend.values import trim

_MAX_RECIPIENTS: Final = 10
_MAX_MESSAGE: Final = 1000
_AGAIN_AFTER_MS: Final = 4 * 3_600_000


def request_responses(store: Store, args: Doc) -> Doc:
    """F.1: ask named agents; those with an open request are passed over in silence."""
    account = args["accountId"]
    with store.query() as tx:
        requester = agent_of(tx, account, args["requesterAgentId"])
        task = task_of(tx, account, args["taskId"])
        if not may(tx, requester, "canMentionAgents"):
            refuse("Forbidden: Agent may not request responses")
    _check_texts(args)
    with store.mutation() as tx:
        texts = {
            "taskId": task["_id"],
            "title": f"{requester['name']} requested a response",
            "body": args["message"],
        }
        made = [
            notify(tx, account, "response_request", ("agent", agent), texts)["_id"]
            for agent in _recipients(tx, args, requester["_id"])
            if not _is_open(tx, task["_id"], agent)
        ]
    return {"notificationIds": made}


def _check_texts(args: Doc) -> None:
    if len(args["recipientSlugs"]) > _MAX_RECIPIENTS:
        refuse(f"Too many recipients: max {_MAX_RECIPIENTS} allowed per request")
    message = trim(args["message"])
    if not message:
        refuse("Message is required")
    at_most(message, _MAX_MESSAGE, f"Message too long: max {_MAX_MESSAGE} characters allowed")


def _recipients(tx: Transaction, args: Doc, requester: str) -> list[str]:
    wanted: dict[str, str] = {}
    for slug in args["recipientSlugs"]:
        wanted.setdefault(trim(slug).lower(), slug)
    wanted.pop("", None)
    if not wanted:
        refuse("Invalid recipient slugs: none provided")
    agents = tx.find("agents", accountId=args["accountId"])
    known = {agent["slug"].lower(): agent["_id"] for agent in agents}
    unknown = [spelling for slug, spelling in wanted.items() if slug not in known]
    if unknown:
        refuse(f"Unknown recipient slugs: {', '.join(unknown)}")
    recipients = [known[slug] for slug in wanted if known[slug] != requester]
    if not recipients:
        refuse("No valid recipients after filtering")
    return recipients


def _is_open(tx: Transaction, task_id: str, agent: str) -> bool:
    """Say whether an earlier request, whoever made it, still stands."""
    same = {"taskId": task_id, "recipientId": agent, "type": "response_request"}
    earlier = tx.find("notifications", newest=True, limit=1, **same)
    if not earlier:
        return False
    asked_at = earlier[0]["createdAt"]
    messages = tx.find("messages", by="createdAt", newest=True, taskId=task_id)
    if any(m["authorId"] == agent and m["createdAt"] > asked_at for m in messages):
        return False
    return not ("deliveredAt" in earlier[0] and tx.now - asked_at >= _AGAIN_AFTER_MS)


ACTIONS: Final[dict[str, Action]] = {
    "createResponseRequestNotifications": action(
        request_responses,
        requesterAgentId=AGENT,
        taskId=TASK,
        recipientSlugs=ListOf(STRING),
        message=STRING,
    ),
}
