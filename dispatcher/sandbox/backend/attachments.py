"""Files that agents attach: registered uploads, and what may be attached."""

from collections.abc import Sequence
from typing import Final

from dispatcher.sandbox.backend.access import agent_of, task_of
from dispatcher.sandbox.backend.actions import Action, action
from dispatcher.sandbox.backend.errors import refuse
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.validators import AGENT, STORED_FILE, TASK

_MAX_BYTES: Final = 20_971_520
_TYPES: Final = frozenset({
    "application/pdf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "text/plain",
    "text/csv",
    "application/json",
})  # fmt: skip
_EXTENSIONS: Final = frozenset({
    "png", "jpg", "jpeg", "gif", "webp", "pdf", "doc", "docx", "txt", "csv", "json",
})  # fmt: skip


def checked_attachments(tx: Transaction, task_id: str, wanted: Sequence[Doc]) -> list[Doc]:
    """Return the attachments as stored, with the file's own type and size; throw on a bad one."""
    return [_checked(tx, task_id, attachment) for attachment in wanted]


def _checked(tx: Transaction, task_id: str, attachment: Doc) -> Doc:
    name, storage_id = attachment["name"], attachment["storageId"]
    label = f'Attachment "{name}"'
    if tx.first("uploads", taskId=task_id, storageId=storage_id) is None:
        refuse(f"{label}: upload not registered for this task")
    stored = tx.get("_storage", storage_id)
    if stored is None:
        refuse(f"{label}: file not found in storage (upload may have failed)")
    if not stored.get("contentType"):
        refuse(f"{label}: missing content type on upload")
    if not _is_allowed(stored, name):
        refuse(
            f"{label}: type or size not allowed (max 20MB, allowed types: "
            "images, PDF, .doc/.docx, .txt, .csv, .json)"
        )
    facts = {"type": stored["contentType"], "size": stored["size"]}
    return {"storageId": storage_id, "name": name, **facts}


def _is_allowed(stored: Doc, name: str) -> bool:
    kind = stored["contentType"]
    if not 1 <= stored["size"] <= _MAX_BYTES:
        return False
    if kind == "application/octet-stream":
        return name.rpartition(".")[2].lower() in _EXTENSIONS
    return kind in _TYPES or kind.startswith("image/")


def register_upload(store: Store, args: Doc) -> Doc:
    """F.4: permit attaching a stored file to a thread."""
    account, task_id, storage_id = args["accountId"], args["taskId"], args["storageId"]
    with store.query() as tx:
        agent_of(tx, account, args["agentId"])
        task_of(tx, account, task_id)
    with store.mutation() as tx:
        if tx.get("_storage", storage_id) is None:
            refuse("Not found: Upload does not exist in storage")
        row = tx.first("uploads", taskId=task_id, storageId=storage_id) or tx.insert(
            "uploads",
            {
                "accountId": account,
                "taskId": task_id,
                "storageId": storage_id,
                "createdAt": tx.now,
            },
        )
    return {"uploadId": row["_id"]}


ACTIONS: Final[dict[str, Action]] = {
    "registerMessageUploadFromAgent": action(
        register_upload, agentId=AGENT, taskId=TASK, storageId=STORED_FILE
    ),
}
