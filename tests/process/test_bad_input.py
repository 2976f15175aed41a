"""Spoiled records, strange replies and vanished rows: one bad thing stops nothing else."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dispatcher.domain.text import utf16_units
from dispatcher.lab.stack import Stack
from tests.process.facts import (
    asks,
    assert_answered_once_each,
    assert_no_overlaps,
    await_all_delivered,
    replies,
    rows_for_agents,
)
from tests.process.trouble import (
    Store,
    answered_rows,
    assert_no_traceback,
    await_empty_store,
    await_recovered,
    conversation_of,
    delivery_of,
    end_quickly,
    logs,
    make_tasks,
    mention,
    running,
    set_rules,
)
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

STORED = {"text": "Stored by an older program.", "calls": [], "incomplete": False, "usage": [3, 5]}
NEWER = '{"v":99,"stage":"thinking","reply":{"parts":["in a form of tomorrow"]}}'
BROKEN = '{"v":1,"stage":"answ'
MESSAGE_UNITS = 100_000
HEALED_S = 45


@pytest.fixture
def written_before(start_stack) -> Iterator[tuple[Stack, Store]]:
    """A stack whose notifications are in their mailboxes, and no worker yet."""
    stack = start_stack(workers=0, DELIVERY_MAX_ATTEMPTS="2", DELIVERY_BACKOFF_MAX_MS="1000")
    with Store(stack) as store:
        yield stack, store
    end_quickly(stack)


def begun_with(stack: Stack, store: Store, text: str, journal: str) -> dict[str, Any]:
    """Let a person mention the engineer, and write a journal as if an attempt had begun."""
    task = make_tasks(stack, 1)[0]
    mention(stack, task, text)
    row = rows_for_agents(stack)[-1]
    delivery = store.key("delivery", delivery_of(row))
    until(lambda: store.client.exists(delivery))
    store.client.hset(delivery, "journal", journal)
    store.client.hset(store.key("mailbox", conversation_of(row)), "pinned", delivery_of(row))
    return row


def version_1(stage: str, **fields: Any) -> str:
    return json.dumps({"v": 1, "stage": stage, "asks": 1, "is_required": True, **fields})


def contents(stack: Stack, row: dict[str, Any]) -> list[str]:
    """What the engineer said in the thread of a row."""
    return [reply["content"] for reply in replies(stack) if reply["taskId"] == row["taskId"]]


def test_journals_of_version_1_are_continued_where_they_stopped(written_before) -> None:
    stack, store = written_before
    begun = {
        stage: begun_with(stack, store, f"@engineer {stage}", version_1(stage, **fields))
        for stage, fields in {
            "asked": {},
            "answered": {"reply": STORED},
            "posting": {"reply": STORED},
            "marking": {"outcome": "answered"},
            "dying": {"cause": "ask_failed"},
        }.items()
    }

    stack.add_worker()

    await_all_delivered(stack, 5)
    said = {stage: contents(stack, row) for stage, row in begun.items()}
    assert said["asked"] == ["Done: engineer asked"]
    assert said["answered"] == said["posting"] == [STORED["text"]]
    assert said["marking"] == []
    assert len(said["dying"]) == 1
    assert [begun["asked"]["_id"] in ask["input_text"] for ask in asks(stack)] == [True]
    assert_no_traceback(stack)


def test_a_journal_of_a_newer_version_waits_unharmed_for_a_program_that_can_read_it(
    written_before,
) -> None:
    stack, store = written_before
    row = begun_with(stack, store, "@engineer from tomorrow", NEWER)
    key = store.key("delivery", delivery_of(row))
    other = make_tasks(stack, 1)[0]
    mention(stack, other, "@engineer from today")

    stack.add_worker()

    until(lambda: any(reply["taskId"] == other for reply in replies(stack)))
    until(lambda: int(store.client.hget(key, "waits") or 0) >= 2)
    assert store.client.hget(key, "journal") == NEWER
    store.client.hset(key, "journal", version_1("answered", reply=STORED))
    await_all_delivered(stack, 2, seconds=8)
    assert contents(stack, row) == [STORED["text"]]
    assert len(asks(stack)) == 1


def test_a_broken_journal_dies_with_a_notice_and_makes_way(written_before) -> None:
    stack, store = written_before
    row = begun_with(stack, store, "@engineer broken", BROKEN)
    mention(stack, row["taskId"], "@engineer the next one")

    stack.add_worker()

    await_all_delivered(stack, 2)
    assert len(contents(stack, row)) == 2
    assert contents(stack, row)[-1] == "Done: engineer the next one"
    assert stack.health()["store"]["dead"] == 1
    assert "journal_unreadable" in "".join(logs(stack))
    assert_no_traceback(stack)


SPOILED = ("mailbox", "mail", "delivery")


def spoil(store: Store, kind: str, row: dict[str, Any]) -> str:
    """Put a string where the store keeps another type; return the key."""
    name = delivery_of(row) if kind == "delivery" else conversation_of(row)
    store.client.set(store.key(kind, name), "spoiled")
    return store.key(kind, name)


def is_told(stack: Stack) -> bool:
    """Say whether a log complains about Redis, or health does."""
    lines = [json.loads(line) for log in logs(stack) for line in log.splitlines()]
    alarms = [line["message"] for line in lines if line["level"] in {"warning", "error"}]
    return "Redis" in "".join([*alarms, *stack.health()["problems"]])


def said_in(stack: Stack, task: str) -> int:
    return sum(reply["taskId"] == task for reply in replies(stack))


def assert_healed(stack: Stack, count: int) -> None:
    await_all_delivered(stack, count, seconds=HEALED_S)
    assert_answered_once_each(stack, count)
    await_empty_store(stack)
    await_recovered(stack)
    end_quickly(stack)


def test_keys_of_the_wrong_type_before_a_put_stop_nobody_else(start_stack) -> None:
    stack = start_stack()
    healthy, *tasks = make_tasks(stack, 1 + len(SPOILED))
    stack.runtime.stop(within_s=10)
    for task in (*tasks, healthy):
        mention(stack, task)
    with Store(stack) as store:
        rows = rows_for_agents(stack)
        keys = [spoil(store, kind, row) for kind, row in zip(SPOILED, rows, strict=False)]
        stack.start_runtime()

        until(lambda: said_in(stack, healthy) == 1)
        mention(stack, healthy, "@engineer and then?")
        until(lambda: said_in(stack, healthy) == 2)
        until(lambda: is_told(stack), seconds=3)
        store.client.delete(*keys)

    assert_healed(stack, 5)


def test_keys_spoiled_while_mail_waits_stop_nobody_else(start_stack) -> None:
    stack = start_stack(delay=4.0)
    healthy, *tasks = make_tasks(stack, 1 + len(SPOILED))
    for task in tasks:
        mention(stack, task, "@engineer first")
    until(lambda: len(running(stack)) == len(SPOILED))
    for task in tasks:
        mention(stack, task, "@engineer under the spoiled key")
    rows = rows_for_agents(stack)[len(SPOILED) :]
    with Store(stack) as store:
        names = [store.key("delivery", delivery_of(row)) for row in rows]
        until(lambda: store.client.exists(*names) == len(names))
        keys = [spoil(store, kind, row) for kind, row in zip(SPOILED, rows, strict=True)]

        mention(stack, healthy, "@engineer [[error:500]] [[times:1]]")
        until(lambda: said_in(stack, healthy) == 1)
        until(lambda: is_told(stack), seconds=3)
        store.client.delete(*keys)

    assert_healed(stack, 7)


SHIFT = """
import datetime as module
import time

_by = {by}
_time, _time_ns, _class = time.time, time.time_ns, module.datetime
time.time = lambda: _time() + _by
time.time_ns = lambda: _time_ns() + _by * 1_000_000_000


class _Meta(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, _class)


class datetime(_class, metaclass=_Meta):
    @classmethod
    def now(cls, tz=None):
        return _class.now(tz) + module.timedelta(seconds=_by)

    @classmethod
    def utcnow(cls):
        return _class.utcnow() + module.timedelta(seconds=_by)


module.datetime = datetime
"""


def clock_off_by(folder: Path, seconds: int) -> str:
    """Make a folder for PYTHONPATH whose processes have a time of day that is off."""
    place = folder / f"clock{seconds}"
    place.mkdir()
    (place / "sitecustomize.py").write_text(SHIFT.format(by=seconds))
    return str(place)


def time_of_day(log: Path) -> datetime:
    """The time of the newest line of a log, as the process that wrote it saw it."""
    return datetime.fromisoformat(json.loads(log.read_text().splitlines()[-1])["time"])


def test_clocks_that_disagree_by_a_minute_change_neither_order_nor_leases(
    start_stack, tmp_path: Path
) -> None:
    stack = start_stack(workers=0, delay=0.5)
    tasks = make_tasks(stack, 4)
    for seconds in (60, -60):
        stack.settings["PYTHONPATH"] = clock_off_by(tmp_path, seconds)
        stack.add_worker()
        stack.add_runtime()
    for number in range(3):
        for task in tasks:
            fault = " [[error:500]] [[times:1]]" if (task, number) == (tasks[0], 1) else ""
            mention(stack, task, f"@engineer part {number}{fault}")
    until(lambda: len(replies(stack)) >= 4)
    ahead, behind = (time_of_day(worker.log) for worker in stack.workers)
    assert ahead - behind > timedelta(seconds=90)

    stack.runtime.stop(within_s=10)
    stack.workers[0].kill()
    await_all_delivered(stack, 12, seconds=40)

    assert_answered_once_each(stack, 12)
    assert_no_overlaps(stack)
    for task in tasks:
        told = [reply["content"] for reply in replies(stack) if reply["taskId"] == task]
        assert [text.split()[3] for text in told] == ["0", "1", "2"]
    end_quickly(stack)


def test_a_reply_that_is_too_long_is_cut_between_characters_and_posted_once(start_stack) -> None:
    stack = start_stack()
    set_rules(stack, {"reply": "!" + "\N{ROCKET}" * 299_999})
    mention(stack, stack.sandbox["taskId"])
    talk = make_tasks(stack, 1)[0]
    stack.human("assign", task=talk, agents=[stack.sandbox["agents"]["engineer"]])
    until(lambda: len(answered_rows(stack)) == 2, seconds=20)
    mention(stack, talk, "go on")

    await_all_delivered(stack, 3)
    assert_answered_once_each(stack, 3)
    for reply in replies(stack):
        text, note = reply["content"].split("\n\n")
        assert text == "!" + "\N{ROCKET}" * (len(text) - 1)
        assert "cut" in note
        assert MESSAGE_UNITS - 2 < utf16_units(reply["content"]) <= MESSAGE_UNITS
    assert len(asks(stack)) == 3
    assert stack.ledger()["calls"]["createMessageFromAgent"] == 3
    end_quickly(stack)


def await_forgotten(stack: Stack) -> None:
    """Wait until nobody waits for what is gone; a row that is missing is looked for thrice."""
    with Store(stack) as store:

        def left() -> int:
            store.end_rests()
            return int(stack.health()["store"]["open"])

        until(left, lambda count: count == 0)
    await_empty_store(stack)
    await_recovered(stack)
    end_quickly(stack)


def test_a_task_that_is_deleted_during_the_run_leaves_nothing_behind(start_stack) -> None:
    stack = start_stack(delay=4.0)
    doomed, other = make_tasks(stack, 2)
    mention(stack, doomed)
    mention(stack, doomed, "@engineer and then?")
    mention(stack, other)
    until(lambda: len(running(stack)) == 2)

    stack.human("delete_task", task=doomed)

    await_all_delivered(stack, 1)
    await_forgotten(stack)
    assert {reply["taskId"] for reply in replies(stack)} == {other}
    assert len(asks(stack)) == 2


def test_an_agent_that_is_deleted_during_the_run_leaves_nothing_behind(start_stack) -> None:
    stack = start_stack(delay=4.0)
    task, other = make_tasks(stack, 2)
    mention(stack, task, "@engineer @writer hello")
    mention(stack, other, "@engineer hello")
    mention(stack, other, "@engineer and then?")
    until(lambda: len(running(stack)) == 2)

    stack.human("delete_agent", agent=stack.sandbox["agents"]["engineer"])

    until(lambda: replies(stack, "writer"))
    await_forgotten(stack)
    assert replies(stack) == []
    assert len(asks(stack)) == 2
