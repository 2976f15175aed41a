"""Writing a message into a thread, by a person or an agent, with all that follows from it."""

from dataclasses import dataclass
from typing import Final

from dispatcher.sandbox.backend.access import is_chat, settings_of
from dispatcher.sandbox.backend.audit import Actor, Target, log
from dispatcher.sandbox.backend.fanout import Spread, notify, subscribe, wants
from dispatcher.sandbox.backend.mentions import resolve
from dispatcher.sandbox.backend.store import Doc, Transaction

MAX_CONTENT: Final = 100_000
TOO_LONG: Final = f"Message content too long (max {MAX_CONTENT} characters)"


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is about to be written.

    Attributes:
        task: The thread.
        author: Who writes; its kind decides several rules.
        content: Stored as it is.
        may_name_agents: Whether mentions of agents notify them.
        silent: Whether the message is to notify no agent.
        source: The idempotency key, if any.
        attachments: Stored files, already checked.
    """

    task: Doc
    author: Actor
    content: str
    may_name_agents: bool = True
    silent: bool = False
    source: str | None = None
    attachments: list[Doc] | None = None


def post(tx: Transaction, draft: Draft) -> str:
    """Write a message, subscribe, tell everyone concerned.

    Returns:
        The id of the new message.
    """
    task, author = draft.task, draft.author
    settings = settings_of(tx, task["accountId"])
    mentions = _mentions(tx, draft, settings)
    told = [m for m in mentions if m["type"] == "user" or _names_agents(draft)]
    message = _insert(tx, draft, mentions)
    if author.kind == "agent":
        tx.patch("tasks", task["_id"], {"updatedAt": tx.now, "lastMessageAt": tx.now})
    subscribe(tx, task, author.kind, author.id)
    for mention in told:
        subscribe(tx, task, mention["type"], mention["id"])
    target = Target("message", message, task["title"])
    meta = {"taskId": task["_id"], "mentionCount": len(mentions)}
    log(tx, task["accountId"], author, "message_created", target, meta)
    people_care = wants(settings, "agentActivity")
    for mention in told:
        if mention["type"] == "agent" or people_care:
            _tell_mentioned(tx, draft, message, mention)
    orchestrator = settings.get("orchestratorAgentId")
    if author.kind == "agent" and orchestrator:
        subscribe(tx, task, "agent", orchestrator)
    Spread(
        task=task,
        author=author,
        message_id=message,
        notified=frozenset(mention["id"] for mention in told),
        names_agents=any(mention["type"] == "agent" for mention in told),
        silent=draft.silent,
        chat=is_chat(settings, task) and (author.kind == "agent" or orchestrator is not None),
        orchestrator=orchestrator,
        people_care=people_care,
    ).run(tx)
    return message


def mentions_in(tx: Transaction, account: str, content: str, author: str) -> list[Doc]:
    """Resolve the mentions of a text against the members and agents of an account."""
    members = tx.find("memberships", accountId=account)
    return resolve(content, author, members, tx.find("agents", accountId=account))


def _names_agents(draft: Draft) -> bool:
    return draft.may_name_agents and not draft.silent


def _mentions(tx: Transaction, draft: Draft, settings: Doc) -> list[Doc]:
    # In the chat an agent mentions nobody; a person does.
    if draft.author.kind == "agent" and is_chat(settings, draft.task):
        return []
    return mentions_in(tx, draft.task["accountId"], draft.content, draft.author.id)


def _insert(tx: Transaction, draft: Draft, mentions: list[Doc]) -> str:
    message = tx.insert(
        "messages",
        {
            "accountId": draft.task["accountId"],
            "taskId": draft.task["_id"],
            "authorType": draft.author.kind,
            "authorId": draft.author.id,
            "content": draft.content,
            "mentions": mentions,
            "attachments": draft.attachments or None,
            "sourceNotificationId": draft.source,
            "createdAt": tx.now,
        },
    )
    return str(message["_id"])


def _tell_mentioned(tx: Transaction, draft: Draft, message: str, mention: Doc) -> None:
    texts = {
        "taskId": draft.task["_id"],
        "messageId": message,
        "title": f"{draft.author.name} mentioned you",
        "body": f'You were mentioned in task "{draft.task["title"]}"',
    }
    recipient = (mention["type"], mention["id"])
    notify(tx, draft.task["accountId"], "mention", recipient, texts)
