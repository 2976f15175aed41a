"""What a proof counts at the backend: faults that struck, and how much is waiting."""

import http.client
import json

import pytest


def test_the_faults_that_struck_are_counted_by_kind(office) -> None:
    faults = office.backend.faults
    faults.add("createMessageFromAgent", kind="drop_after_commit", times=5)

    with pytest.raises((http.client.HTTPException, OSError)):
        office.reply(office.task())
    faults.clear()

    office.client.close()
    _, _, raw = office.client.request("GET", "/human/faults")
    assert json.loads(raw) == {"drop_after_commit": 1}


def test_the_progress_tells_how_many_notifications_wait(office) -> None:
    task = office.task()
    office.world.post_message(office.account, task, "@engineer hello")
    path = f"/human/progress?account={office.account}"

    _, _, raw = office.client.request("GET", path)

    assert json.loads(raw) == {"notifications": 1, "waiting": 1}
