"""Who is told of what: subscriptions, notification rows, and the fan-out of a message."""

from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.sandbox.backend.audit import Actor
from dispatcher.sandbox.backend.store import Doc, Transaction


def subscribe(tx: Transaction, task: Doc, kind: str, subscriber: str) -> None:
    """Subscribe a user or agent to a thread; once is enough."""
    if tx.first("subscriptions", taskId=task["_id"], subscriberId=subscriber) is None:
        row = {"subscriberType": kind, "subscriberId": subscriber, "subscribedAt": tx.now}
        tx.insert("subscriptions", {"accountId": task["accountId"], "taskId": task["_id"], **row})


def unsubscribe(tx: Transaction, task: Doc, subscriber: str) -> None:
    """Take a user or agent off a thread."""
    for row in tx.find("subscriptions", taskId=task["_id"], subscriberId=subscriber):
        tx.delete("subscriptions", row["_id"])


def wants(settings: Doc, preference: str) -> bool:
    """Say whether the account's people want notifications of a kind; they do unless told."""
    preferences: Doc = settings.get("notificationPreferences") or {}
    return bool(preferences.get(preference, True))


def notify(tx: Transaction, account: str, kind: str, recipient: tuple[str, str], texts: Doc) -> Doc:
    """Insert a notification.

    Args:
        tx: The mutation.
        account: Whose.
        kind: The notification type.
        recipient: ``user`` or ``agent``, and the id.
        texts: ``title`` and ``body``, and ``taskId`` and ``messageId`` where there are any.
    """
    who = {"recipientType": recipient[0], "recipientId": recipient[1]}
    row = {"accountId": account, "type": kind, **who, **texts, "createdAt": tx.now}
    return tx.insert("notifications", row)


def tell_assigned(
    tx: Transaction, task: Doc, actor: Actor, recipients: Iterable[tuple[str, str]], settings: Doc
) -> None:
    """Tell users and agents that they were assigned."""
    texts = {
        "taskId": task["_id"],
        "title": f"{actor.name} assigned you",
        "body": f'You were assigned to task "{task["title"]}"',
    }
    for recipient in recipients:
        if recipient[0] == "agent" or wants(settings, "taskUpdates"):
            notify(tx, task["accountId"], "assignment", recipient, texts)


def tell_status(tx: Transaction, task: Doc, actor: Actor, settings: Doc) -> None:
    """Tell all assignees of a new status, except an agent that set it itself."""
    texts = {
        "taskId": task["_id"],
        "title": f"Task status changed to {task['status']}",
        "body": f'{actor.name} changed "{task["title"]}" to {task["status"]}',
    }
    if wants(settings, "taskUpdates"):
        for user in task["assignedUserIds"]:
            notify(tx, task["accountId"], "status_change", ("user", user), texts)
    for agent in task["assignedAgentIds"]:
        if agent != actor.id:
            notify(tx, task["accountId"], "status_change", ("agent", agent), texts)


@dataclass(frozen=True, slots=True)
class Spread:
    """How one message spreads to the subscribers of its thread.

    Attributes:
        task: The thread.
        author: Who wrote it.
        message_id: The message.
        notified: Ids of those who are told by a mention.
        names_agents: Whether a notifiable mention names an agent.
        silent: Whether the message is to notify no agent.
        chat: Whether the rules of the orchestrator chat apply.
        orchestrator: The squad lead, if any.
        people_care: Whether people want to hear of agent activity.
    """

    task: Doc
    author: Actor
    message_id: str
    notified: frozenset[str]
    names_agents: bool
    silent: bool
    chat: bool
    orchestrator: str | None
    people_care: bool

    def run(self, tx: Transaction) -> None:
        """Tell every subscriber whom no rule skips, in the order of subscription."""
        for row in tx.find("subscriptions", taskId=self.task["_id"]):
            kind, subscriber = row["subscriberType"], row["subscriberId"]
            if subscriber == self.author.id or subscriber in self.notified:
                continue
            if kind == "agent" and not self._skips_agent(subscriber):
                self._tell_agent(tx, subscriber)
            elif kind == "user" and self.people_care:
                notify(tx, self.task["accountId"], "thread_update", (kind, subscriber), self._texts)

    def _skips_agent(self, agent: str) -> bool:
        own_chat = self.chat and agent == self.orchestrator
        return (
            (self.chat and not own_chat)
            or self.task["status"] in {"done", "blocked"}
            or self.silent
            or (self.names_agents and not own_chat)
        )

    def _tell_agent(self, tx: Transaction, agent: str) -> None:
        """Insert a row, or turn an undelivered one to this message.

        The row may be in the middle of an attempt; its ``readAt`` stays all the same. That is the
        lost wake-up which the backend's contract warns of, and which clients have to live with.
        """
        same = {"taskId": self.task["_id"], "recipientId": agent, "type": "thread_update"}
        waiting = tx.find("notifications", newest=True, limit=1, deliveredAt=None, **same)
        if waiting:
            changes = {**self._texts, "createdAt": tx.now}
            tx.patch("notifications", waiting[0]["_id"], changes)
        else:
            account = self.task["accountId"]
            notify(tx, account, "thread_update", ("agent", agent), self._texts)

    @property
    def _texts(self) -> Doc:
        return {
            "taskId": self.task["_id"],
            "messageId": self.message_id,
            "title": f"{self.author.name} replied",
            "body": f'New message in task "{self.task["title"]}"',
        }
