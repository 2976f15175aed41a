"""The actions by which agents write into threads."""

from typing import Final

from dispatcher.sandbox.backend.access import agent_of, may, require_orchestrator, task_of
from dispatcher.sandbox.backend.actions import Action, action, at_most
from dispatcher.sandbox.backend.attachments import checked_attachments
from dispatcher.sandbox.backend.audit import Actor
from dispatcher.sandbox.backend.posting import MAX_CONTENT, TOO_LONG, Draft, post
from dispatcher.sandbox.backend.store import Doc, Store
from dispatcher.sandbox.backend.validators import (
    AGENT,
    BOOLEAN,
    NOTIFICATION,
    NUMBER,
    STORED_FILE,
    STRING,
    TASK,
    ListOf,
    ObjectOf,
    Optional,
)


def create_message(store: Store, args: Doc) -> Doc:
    """A.6: post, at most once for each key."""
    with store.query() as tx:
        agent_of(tx, args["accountId"], args["agentId"])
        task_of(tx, args["accountId"], args["taskId"])
    return _write(store, args)


def create_task_message(store: Store, args: Doc) -> Doc:
    """F.2: post as the orchestrator, without a key."""
    with store.query() as tx:
        agent_of(tx, args["accountId"], args["agentId"])
        require_orchestrator(tx, args["accountId"], args["agentId"], "post task messages")
        task_of(tx, args["accountId"], args["taskId"])
    return _write(store, args)


def _write(store: Store, args: Doc) -> Doc:
    with store.mutation() as tx:
        agent = agent_of(tx, args["accountId"], args["agentId"])
        task = task_of(tx, args["accountId"], args["taskId"])
        at_most(args["content"], MAX_CONTENT, TOO_LONG)
        key = args.get("sourceNotificationId")
        # The key alone decides, whatever else differs: account, thread, author, content.
        known = key and tx.first("messages", sourceNotificationId=key)
        if known:
            return {"messageId": known["_id"]}
        draft = Draft(
            task=task,
            author=Actor.agent(agent),
            content=args["content"],
            may_name_agents=may(tx, agent, "canMentionAgents"),
            silent=args.get("suppressAgentNotifications", False),
            source=key,
            attachments=checked_attachments(tx, task["_id"], args.get("attachments", [])),
        )
        return {"messageId": post(tx, draft)}


_ATTACHMENT: Final = ObjectOf(
    {
        "storageId": STORED_FILE,
        "name": STRING,
        "type": STRING,
        "size": NUMBER,
        "url": Optional(STRING),
    }
)

ACTIONS: Final[dict[str, Action]] = {
    "createMessageFromAgent": action(
        create_message,
        agentId=AGENT,
        taskId=TASK,
        content=STRING,
        sourceNotificationId=Optional(NOTIFICATION),
        suppressAgentNotifications=Optional(BOOLEAN),
        attachments=Optional(ListOf(_ATTACHMENT)),
    ),
    "createTaskMessageForAgentTool": action(
        create_task_message, agentId=AGENT, taskId=TASK, content=STRING
    ),
}
