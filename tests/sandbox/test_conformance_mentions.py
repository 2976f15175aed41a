"""Item 66 of the backend's contract: who is mentioned."""

import pytest

from dispatcher.sandbox.backend.mentions import candidates


@pytest.mark.parametrize(
    ("content", "slugs"),
    [
        ("@engineer", ["engineer"]),
        ("@Engineer please look", ["engineer"]),
        ("@squad-lead please look", ["squad-lead"]),
        ("@Squad Lead please look", ["squad-lead"]),
        ('@"squad lead" please', ["squad-lead"]),
        ("@engineer @writer @engineer", ["engineer", "writer"]),
        ("hey @qa check", []),
        ("hey @qa, check", ["qa"]),
        ("mail a@engineer.com", ["engineer"]),
        ("@all-hands", ["engineer", "writer", "squad-lead", "tester", "andré"]),
        ("x@all.org", ["engineer", "writer", "squad-lead", "tester", "andré"]),
        ("@ALL", ["engineer", "writer", "squad-lead", "tester", "andré"]),
        ("@allies", []),
        ("`@engineer` and ```\n@writer\n```", []),
        ("> @engineer said\n  > @writer too", []),
        ("> quoted\n@writer", ["writer"]),
        ("@andré", []),
        ('@"andré"', ["andré"]),
        ("@nobody", []),
        ("@engineer\nplease", ["engineer"]),
    ],
)
def test_066_agents_are_found_by_slug_and_name(office, content, slugs):
    office.world.create_agent(office.account, "Tester", "tester", "QA engineer")
    office.world.create_agent(office.account, "Dev", "andré", "Developer")

    message = office.say(office.task(), content)

    mentions = office.row("messages", message)["mentions"]
    assert [m["slug"] for m in mentions if m["type"] == "agent"] == slugs


def test_066_people_are_found_by_name_or_by_the_whole_local_part(office):
    world = office.world
    world.create_member(office.account, "Bob Stone", "bobby@example.com")

    def found(content):
        row = office.row("messages", office.say(office.task(), content))
        return [mention["name"] for mention in row["mentions"]]

    assert found("@bob stone hello") == ["Bob Stone"]
    assert found("@bobby, hello") == ["Bob Stone"]
    assert found("@bobby hello") == []
    assert found("@alice smith and @bobby") == ["Alice Smith", "Bob Stone"]
    last = world.create_member(office.account, "Bob Stone", "bob2@example.com")
    row = office.row("messages", office.say(office.task(), '@"Bob Stone"'))
    assert [mention["id"] for mention in row["mentions"]] == [last]


def test_066_everyone_leaves_out_the_author_who_may_name_itself(office):
    office.say(office.task(), "@all")
    assert office.alice not in {m["id"] for m in office.rows("messages")[0]["mentions"]}

    office.reply(office.task(), "@engineer, that is me")
    assert [row["type"] for row in office.for_agent(office.engineer)][-1] == "mention"


def test_066_a_candidate_is_the_longest_run_of_joined_words():
    assert candidates("@squad-lead please look. ok") == ["squad-lead please look"]
    assert candidates("@a  b") == ["a"]
    assert candidates("@a @A @b") == ["a", "b"]
    assert candidates('@" " @""') == []


def test_an_edit_resolves_mentions_anew_and_tells_nobody(office):
    message = office.say(office.task(), "hello")

    office.world.edit_message(office.account, message, "hello @engineer")

    row = office.row("messages", message)
    assert [m["slug"] for m in row["mentions"]] == ["engineer"]
    assert "editedAt" in row
    assert office.queue() == []
