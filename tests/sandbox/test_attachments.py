"""Files that agents attach to messages."""

from dispatcher.sandbox.backend.store import new_id


def test_attachments_must_be_registered_stored_and_allowed(office):
    task, world = office.task(), office.world
    good = world.store_file(content_type="text/plain", size=3)
    untyped = world.store_file(size=3)
    empty = world.store_file(content_type="text/plain", size=0)
    binary = world.store_file(content_type="application/octet-stream", size=3)
    lost = new_id("_storage")
    register = {"agentId": office.engineer, "taskId": task}
    ids = [
        office.call("registerMessageUploadFromAgent", storageId=stored, **register)["uploadId"]
        for stored in (good, good, untyped, empty, binary)
    ]

    def attach(stored, name="a.txt"):
        file = {"storageId": stored, "name": name, "type": "x/y", "size": 9, "url": "http://x"}
        args = {"agentId": office.engineer, "taskId": task, "content": "", "attachments": [file]}
        return office.body("createMessageFromAgent", **args)

    assert ids[0] == ids[1]
    assert attach(good)["status"] == attach(binary, "a.PNG")["status"] == "success"
    stored = office.rows("messages")[0]["attachments"]
    assert stored == [{"storageId": good, "name": "a.txt", "type": "text/plain", "size": 3}]
    with office.backend._store.mutation() as tx:
        tx.delete("_storage", good)
    for wrong, text in (
        (lost, 'Attachment "a.txt": upload not registered for this task'),
        (good, 'Attachment "a.txt": file not found in storage (upload may have failed)'),
        (untyped, 'Attachment "a.txt": missing content type on upload'),
        (empty, 'Attachment "a.txt": type or size not allowed (max 20MB'),
    ):
        assert text in attach(wrong)["errorMessage"]
    assert "type or size not allowed" in attach(binary, "a.exe")["errorMessage"]
    unknown = office.error("registerMessageUploadFromAgent", storageId=lost, **register)
    assert "Not found: Upload does not exist in storage" in unknown
