"""How `dispatcher prove` reads ledgers and stories, and how it tells what it found."""

import json
from dataclasses import replace
from pathlib import Path

from dispatcher.lab.proof.certificate import as_json, as_text
from dispatcher.lab.proof.evidence import Step, keep
from dispatcher.lab.proof.gather import read_asks, read_messages, read_rows
from dispatcher.lab.proof.judge import judge
from dispatcher.lab.proof.narrative import narrate
from dispatcher.lab.proof.plan import Trouble, choose
from dispatcher.lab.proof.store_look import read_step
from dispatcher.lab.proof.verdict import Breach
from dispatcher.lab.proof.words import Mark, mark_of, own_words
from tests.unit.proof_world import good, strike

OPTIONS = choose(seed=4, minutes=2, kills=None, workers=3, flushes=False)
PROMPT = """\
## Notification: mention

===== REQUEST TO RESPOND TO START =====
@engineer w00012 please look at this [[delay:0.5]]
===== REQUEST TO RESPOND TO END =====
---
Notification ID: k17abc
"""


def raw_ask(seq: int, text: str, **changes: object) -> dict[str, object]:
    facts = {
        "seq": seq, "agent": "engineer", "session_key": "s", "received_at": 1.0, "ended_at": 2.5,
        "outcome": "answered", "input_text": text, "round": 0, "fault": None,
    }  # fmt: skip
    return facts | changes


def test_a_reply_is_known_again_by_its_word_and_its_depth() -> None:
    assert mark_of("@engineer w00012 please") == Mark("w00012", 0)
    assert mark_of("Done: engineer w00012 please") == Mark("w00012", 1)
    assert mark_of("Done: Done: engineer w00012") == Mark("w00012", 2)
    assert mark_of(f"{own_words('w00012')}: made it") == Mark("w00012", 1)
    assert mark_of(f"Done: {own_words('w00012')}") == Mark("w00012", 2)
    assert mark_of("Done: Notification ID: k17abc") == Mark("k17abc", 1)
    assert mark_of("could not be answered") is None


def test_an_ask_is_tied_to_its_notification_and_its_message() -> None:
    (ask,) = read_asks([raw_ask(1, PROMPT)], zero_ms=10_000, agents={"engineer": "a1"})

    assert (ask.agent, ask.row, ask.mark) == ("a1", "k17abc", Mark("w00012", 0))
    assert (ask.received_ms, ask.ended_ms) == (11_000, 12_500)


def test_an_ask_without_a_message_is_about_its_notification() -> None:
    text = "You were assigned\n---\nNotification ID: k17abc\n"

    (ask,) = read_asks([raw_ask(1, text)], zero_ms=0, agents={})

    assert ask.mark == Mark("k17abc", 0)


def test_tool_results_are_counted_as_later_rounds() -> None:
    asks = read_asks(
        [raw_ask(1, PROMPT), raw_ask(2, "results", round=1), raw_ask(3, PROMPT)],
        zero_ms=0,
        agents={},
    )

    assert [(one.number, one.row) for one in asks] == [(0, "k17abc"), (1, None), (0, "k17abc")]


def test_only_notifications_for_agents_are_read() -> None:
    row = {
        "_id": "n1", "recipientId": "a1", "recipientType": "agent", "taskId": "t1",
        "type": "mention", "messageId": "m1", "createdAt": 5.0,
    }  # fmt: skip

    (read,) = read_rows([row, row | {"recipientType": "user"}])

    assert (read.row, read.delivered_ms, read.message) == ("n1", None, "m1")


def test_messages_are_read_with_what_they_are_about() -> None:
    raw = {
        "_id": "m1", "taskId": "t1", "authorId": "a1", "authorType": "agent",
        "content": "Done: w00003", "createdAt": 5.0, "sourceNotificationId": "n1",
    }  # fmt: skip

    (read,) = read_messages([raw])

    assert (read.mark, read.is_by_agent, read.source) == (Mark("w00003", 1), True, "n1")


def test_an_entry_of_a_story_is_read_whatever_its_detail_holds() -> None:
    assert read_step("12|resting|no_reply|x") == Step(at_ms=12, word="resting", detail="no_reply|x")
    assert read_step("12|settled|") == Step(at_ms=12, word="settled", detail="")
    assert read_step("12|settled") == Step(at_ms=12, word="settled", detail="")


def test_the_certificate_of_a_kept_proof_says_so() -> None:
    text = as_text(OPTIONS, good(), judge(good()))

    assert text.startswith("PROMISES KEPT: dispatcher prove --seed 4 --minutes 2 ")
    assert "appendfsync everysec" in text
    assert "DELIVERY_MAX_CONCURRENT_SESSIONS=60" in text


def test_the_certificate_of_a_broken_proof_tells_the_story_of_the_first_one() -> None:
    world = replace(good(), messages=good().messages[:-1])

    text = as_text(OPTIONS, world, judge(world))

    assert text.startswith("PROMISES BROKEN")
    assert "lost: w00002, a mention, got no answer" in text
    assert "ask 2 answered" in text
    assert "settled answered" in text


def test_the_certificate_as_json_holds_the_same() -> None:
    world = replace(good(), messages=good().messages[:-1])

    made = json.loads(json.dumps(as_json(OPTIONS, world, judge(world))))

    assert made["kept"] is False
    assert made["promises"]["lost"] == 1
    assert made["seed"] == 4
    assert made["breaches"][0]["notification"] == "n2"
    assert any("ask 2" in line for line in made["story"])


def test_a_story_is_told_in_order_from_all_sides() -> None:
    lines = narrate(good(), Breach(promise="lost", text="", row="n1"))

    assert [line.split()[2] for line in lines[:4]] == ["backend", "store", "thread", "store"]
    assert any("marked delivered" in line for line in lines)


def test_the_evidence_is_kept_as_a_file(tmp_path: Path) -> None:
    killed = strike(Trouble.WORKER_KILLED, at_ms=1, until_ms=2, number=1)

    keep(replace(good(), strikes=(killed,)), tmp_path / "evidence.json")

    kept = json.loads((tmp_path / "evidence.json").read_text())
    assert kept["strikes"][0]["held"] == ["n1:m1"]
    assert kept["titles"] == {"Task by w00001": 1}


def test_nothing_is_told_of_a_breach_without_a_notification() -> None:
    assert narrate(good(), Breach(promise="duplicated", text="a title")) == []
