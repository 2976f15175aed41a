"""Tools for documents."""

from dispatcher.domain.catalogue import DOCUMENT_TYPES
from dispatcher.flows.acts.errand import Content, Errand, missing, not_one_of

_WHAT = f"title, content, and type ({'|'.join(DOCUMENT_TYPES)})"


def upsert(errand: Errand) -> Content:
    """Create a document, or change one."""
    fields = dict(errand.arguments) | {"title": errand.text("title")}
    is_whole = fields["title"] and fields.get("content")
    if not is_whole or fields.get("type") not in DOCUMENT_TYPES:
        raise missing(f"{_WHAT} are required", f"Missing or invalid: {_WHAT} required")
    document = errand.actions.put_document(agent=errand.agent, fields=fields)
    return {"success": True, "documentId": document}


def find(errand: Errand) -> Content:
    """List documents."""
    kind = errand.arguments.get("type")
    if kind is not None and kind not in DOCUMENT_TYPES:
        raise not_one_of("type", DOCUMENT_TYPES)
    fields = {name: errand.text(name) for name in ("taskId", "type") if errand.text(name)}
    found = errand.actions.documents(fields=fields | errand.bounded(limit=100))
    return {"success": True, "data": {"documents": list(found)}}
