"""Documents that agents write and list."""

import math
from typing import Final

from dispatcher.sandbox.backend.access import agent_of, may, own
from dispatcher.sandbox.backend.actions import Action, action, at_most
from dispatcher.sandbox.backend.audit import Actor, Target, log
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.threads import by_update
from dispatcher.sandbox.backend.validators import (
    AGENT,
    DOCUMENT,
    DOCUMENT_TYPE,
    NUMBER,
    STRING,
    TASK,
    Optional,
)

_MAX_TITLE: Final = 2000
_MAX_CONTENT: Final = 1_000_000
_MAX_BYTES: Final = 1 << 20
_LISTED: Final = 50
_MAX_LISTED: Final = 100
_MAX_PER_TASK: Final = 200


def create_document(store: Store, args: Doc) -> Doc:
    """F.3: write a new document, or a new version of one."""
    account = args["accountId"]
    with store.query() as tx:
        agent = agent_of(tx, account, args["agentId"])
        if not may(tx, agent, "canCreateDocuments"):
            refuse("Forbidden: Agent is not allowed to create documents")
        if "taskId" in args and own(tx.get("tasks", args["taskId"]), account) is None:
            refuse("Not found: Task does not exist or belongs to different account")
    at_most(args["title"], _MAX_TITLE, f"Title too long (max {_MAX_TITLE} characters)")
    at_most(args["content"], _MAX_CONTENT, f"Content too long (max {_MAX_CONTENT} characters)")
    with store.mutation() as tx:
        known = _known(tx, args)
        doc = _overwrite(tx, known, args) if known else _insert(tx, args)
        kind = "document_updated" if known else "document_created"
        target = Target("document", doc["_id"], doc["title"])
        log(tx, account, Actor.agent(agent), kind, target)
    return {"documentId": doc["_id"]}


def _known(tx: Transaction, args: Doc) -> Doc | None:
    size = len(args["content"].encode())
    if size > _MAX_BYTES:
        refuse(f"Value is too large ({size} bytes > maximum size 1 MiB)")
    if "documentId" not in args:
        return None
    doc = tx.get("documents", args["documentId"])
    if doc is None:
        refuse("Not found: Document does not exist")
    if doc["accountId"] != args["accountId"]:
        refuse("Forbidden: Document belongs to different account")
    return doc


def _texts(args: Doc) -> Doc:
    sent = {name: args[name] for name in ("title", "content", "type")}
    return {**sent, "name": args["title"], "taskId": args.get("taskId")}


def _insert(tx: Transaction, args: Doc) -> Doc:
    author = {"authorType": "agent", "authorId": args["agentId"]}
    stamps = {"version": 1, "createdAt": tx.now, "updatedAt": tx.now}
    head = {"accountId": args["accountId"], "kind": "file"}
    return tx.insert("documents", {**head, **_texts(args), **author, **stamps})


def _overwrite(tx: Transaction, doc: Doc, args: Doc) -> Doc:
    differs = doc.get("content") != args["content"]
    version = doc.get("version", 1) + (1 if differs else 0)
    changes = {**_texts(args), "version": version, "updatedAt": tx.now}
    return tx.patch("documents", doc["_id"], changes)


def list_documents(store: Store, args: Doc) -> Doc:
    """E: documents of a task or of the account; filters apply to a bounded sample."""
    limit = args.get("limit", _LISTED)
    rows = _LISTED if math.isnan(limit) else int(min(max(limit, 1), _MAX_LISTED))
    where: Doc = {"accountId": args["accountId"]}
    most = _MAX_LISTED
    if "taskId" in args:
        where["taskId"] = args["taskId"]
        most = _MAX_PER_TASK
    with store.query() as tx:
        docs = by_update(tx.find("documents", **where))
    sample = docs[: min(2 * rows, most)]
    wanted = [
        doc
        for doc in sample
        if "deletedAt" not in doc and args.get("type") in {None, doc.get("type")}
    ]
    return {"documents": [_listed(doc) for doc in wanted[:rows]]}


def _listed(doc: Doc) -> Doc:
    title = doc.get("name") or doc.get("title") or "Untitled"
    kept = ("_id", "type", "taskId", "updatedAt")
    return {"title": title, **{name: doc[name] for name in kept if name in doc}}


ACTIONS: Final[dict[str, Action]] = {
    "createDocumentFromAgent": action(
        create_document,
        agentId=AGENT,
        documentId=Optional(DOCUMENT),
        taskId=Optional(TASK),
        title=STRING,
        content=STRING,
        type=DOCUMENT_TYPE,
    ),
    "listDocumentsForAgent": action(
        list_documents,
        taskId=Optional(TASK),
        type=Optional(DOCUMENT_TYPE),
        limit=Optional(NUMBER),
    ),
}
