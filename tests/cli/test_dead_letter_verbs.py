"""`dispatcher dead-letters`: many at once, chosen with care, and never by accident."""

import json

import pytest

from tests.cli.conftest import Shell
from tests.house import House


@pytest.fixture
def six(house: House) -> list[str]:
    """Three of the engineer, three of the writer; one of each has an answer stored."""
    return [
        house.die(slug, answer="stored" if number == 0 else None)
        for slug in ("engineer", "writer")
        for number in range(3)
    ]


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_groups_tell_what_went_wrong_for_many(six, shell: Shell) -> None:
    groups = lines(shell.text("dead-letters", "list", "--group", "--json"))

    assert [(one["count"], one["cause"], one["slug"]) for one in groups] == [
        (3, "ask_refused", "engineer"),
        (3, "ask_refused", "writer"),
    ]
    assert "3      ask_refused  engineer" in shell.text("dead-letters", "list", "--group")


def test_filters_choose(six, shell: Shell) -> None:
    found = lines(shell.text("dead-letters", "list", "--filter", "agent=writer", "--json"))
    assert {one["delivery"] for one in found} == set(six[3:])

    none = shell.text("dead-letters", "list", "--filter", "agent=writer", "--filter", "older=1h")
    assert none == ""


@pytest.mark.parametrize("text", ["agent", "colour=red", "older=soon", "agent=", "older=1w"])
def test_a_filter_that_cannot_be_read_says_what_can(six, shell: Shell, text: str) -> None:
    result = shell.run("dead-letters", "list", "--filter", text)

    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert any(word in result.stderr for word in ("older", "duration"))


def test_a_dry_run_changes_nothing(six, shell: Shell, house: House) -> None:
    text = shell.text("dead-letters", "revive", "--filter", "agent=writer", "--dry-run")

    assert "3 dead letters would be revived." in text
    assert all(one in text for one in six[3:])
    assert house.store.stats().dead == 6


def test_many_are_changed_only_by_whoever_is_sure(six, shell: Shell, house: House) -> None:
    refused = shell.run("dead-letters", "revive", "--all", input="n\n")
    assert refused.exit_code == 1
    assert house.store.stats().dead == 6

    assert shell.text("dead-letters", "revive", "--all", input="y\n").endswith("6 revived.\n")
    assert house.store.stats().dead == 0


def test_a_single_one_is_revived_without_a_question(six, shell: Shell, house: House) -> None:
    assert shell.text("dead-letters", "revive", six[0]) == "1 revived.\n"
    assert house.store.stats().dead == 5


@pytest.mark.parametrize("verb", [("discard",), ("revive", "--fresh")])
def test_what_loses_something_is_asked_about(six, shell: Shell, house: House, verb) -> None:
    assert shell.run("dead-letters", *verb, six[0], input="\n").exit_code == 1
    assert house.store.stats().dead == 6
    shell.text("dead-letters", *verb, six[0], "--yes")
    assert house.store.stats().dead == 5


def test_nothing_named_is_not_everything(six, shell: Shell, house: House) -> None:
    for arguments in ((), (six[0], "--all"), ("--all", "--filter", "kind=mention")):
        assert shell.run("dead-letters", "discard", "--yes", *arguments).exit_code == 2
    assert house.store.stats().dead == 6


def test_what_is_no_dead_letter_is_named(six, shell: Shell) -> None:
    result = shell.run("dead-letters", "revive", "nothing", six[0])

    assert result.exit_code == 1
    assert "nothing is no dead letter." in result.stderr
    assert result.stdout == "1 revived.\n"


def test_a_rate_is_kept(six, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)

    shell.text("dead-letters", "revive", "--all", "--yes", "--rate", "4")

    assert waits == [0.25] * 5


def test_one_is_shown_with_its_answer(six, shell: Shell) -> None:
    assert shell.json("dead-letters", "show", six[0])["answer"] == "stored"
    assert shell.json("dead-letters", "show", six[1])["answer"] is None
    assert shell.run("dead-letters", "show", "nothing").exit_code == 1
