"""Syncing profiles into real folders: what is written, kept, cleaned up, and who is left out."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dispatcher.adapters.workspace import Workspace
from dispatcher.domain.errors import BackendGarbled
from dispatcher.domain.ids import AgentId
from dispatcher.domain.profile import Profile
from dispatcher.flows.profiles import Place, Written, sync_profiles
from dispatcher.runtime.profiles import Doubtful
from tests.unit.test_profile import profile, skill

DAY = date(2026, 3, 1)


class Office:
    """Profiles of a backend, and the folders that they are written into."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "agents"
        self.config = folder / "openclaw.json"
        self.found: tuple[Profile, ...] = (profile(skills=(skill(), skill(slug="test"))),)
        self.place = Place(
            workspaces=Workspace(self.root),
            parent=Workspace(folder),
            gateway_root="/root/clawd/agents",
            manuals={"AGENTS.md": "How to.\n", "HEARTBEAT.md": "Wake.\n"},
            has_ai_gateway=False,
        )

    def profiles(self) -> tuple[Profile, ...]:
        return self.found

    def sync(self, today: date = DAY) -> Written:
        return sync_profiles(profiles=self, place=self.place, today=today)

    def names(self, slug: str = "engineer") -> set[str]:
        folder = self.root / slug
        return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}

    def entries(self) -> dict[str, Any]:
        return json.loads(self.config.read_text())["agents"]["entries"]


def listed(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_item_156_everything_that_an_agent_needs_is_written(office: Office) -> None:
    written = office.sync()

    assert office.names() == {
        "SOUL.md", "USER.md", "IDENTITY.md", "TOOLS.md", "AGENTS.md", "HEARTBEAT.md", "MEMORY.md",
        "memory/WORKING.md", "memory/2026-02-28.md", "memory/2026-03-01.md", "memory/2026-03-02.md",
        "skills/deploy/SKILL.md", "skills/test/SKILL.md",
    }  # fmt: skip
    assert (written.files, written.has_new_config, written.problems) == (8, True, [])
    assert (office.root / "engineer/SOUL.md").read_text() == "Be kind.\n"


def test_item_156_memories_are_never_overwritten(office: Office) -> None:
    office.sync()
    for name in ("MEMORY.md", "memory/WORKING.md", "memory/2026-03-01.md"):
        (office.root / "engineer" / name).write_text("mine")

    office.sync()

    for name in ("MEMORY.md", "memory/WORKING.md", "memory/2026-03-01.md"):
        assert (office.root / "engineer" / name).read_text() == "mine"


def test_item_159_the_configuration_names_folders_as_the_gateway_sees_them(office) -> None:
    office.sync()

    config = json.loads(office.config.read_text())
    assert config["agents"]["entries"]["engineer"]["workspace"] == "/root/clawd/agents/engineer"
    assert config["skills"]["load"]["extraDirs"] == ["/root/clawd/agents/engineer/skills"]
    assert set(config["skills"]["entries"]) == {"deploy", "test"}


def test_item_162_a_second_sync_writes_nothing_whatever_the_order(office: Office) -> None:
    other = profile(agent_id=AgentId("a0"), slug="writer", name="Writer")
    office.found = (*office.found, other)
    office.sync()

    office.found = (other, profile(skills=(skill(slug="test"), skill())))
    # The order of an agent's skills is the account's own, and is told in TOOLS.md.
    again = office.sync()

    assert (again.files, again.has_new_config) == (1, False)
    assert (office.sync().files, office.sync().has_new_config) == (0, False)


@pytest.mark.parametrize("slug", ["", "../etc", "/abs/olute", "a b", ".."])
def test_item_157_an_unsafe_slug_writes_nothing(office: Office, slug: str) -> None:
    office.found = (profile(slug=slug), profile(agent_id=AgentId("a2"), slug="writer"))

    written = office.sync()

    assert listed(office.root) == ["writer"]
    assert set(office.entries()) == {"writer"}
    assert len(written.problems) == 1


def test_the_second_of_two_agents_with_one_slug_is_left_out(office: Office) -> None:
    office.found = (
        profile(agent_id=AgentId("b"), soul="second"),
        profile(agent_id=AgentId("a"), soul="first"),
        profile(agent_id=AgentId("c"), slug="Engineer", soul="third"),
    )

    written = office.sync()

    assert (office.root / "engineer/SOUL.md").read_text() == "first\n"
    assert len(written.problems) == 2
    assert set(office.entries()) == {"engineer"}


def test_skills_that_an_agent_has_no_more_are_cleaned_up(office: Office) -> None:
    office.sync()
    office.found = (profile(skills=(skill(),)),)

    office.sync()

    assert "skills/test/SKILL.md" not in office.names()
    assert not (office.root / "engineer/skills/test").exists()
    assert set(json.loads(office.config.read_text())["skills"]["entries"]) == {"deploy"}


def test_the_folder_of_an_agent_that_left_stays_and_its_skills_go(office: Office) -> None:
    office.sync()
    office.found = (profile(agent_id=AgentId("a2"), slug="writer"),)

    office.sync()

    assert "SOUL.md" in office.names()
    assert not any(name.startswith("skills/") for name in office.names())
    assert set(office.entries()) == {"writer"}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"engineer": 3}',
        '{"../x": ["../../y"], "engineer": ["..", "/etc"]}',
        "[" * 9_000,
    ],
)
def test_a_list_of_old_skills_that_was_tampered_with_does_no_harm(
    office: Office, text: str
) -> None:
    office.sync()
    (office.root.parent / ".dispatcher-skills.json").write_text(text)

    written = office.sync()

    assert written.problems == []
    assert "skills/test/SKILL.md" in office.names()


def test_a_link_in_one_workspace_does_not_keep_the_others_from_theirs(office, tmp_path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    office.root.mkdir()
    (office.root / "engineer").symlink_to(elsewhere)
    office.found = (*office.found, profile(agent_id=AgentId("a2"), slug="writer"))

    written = office.sync()

    assert list(elsewhere.iterdir()) == []
    assert len(written.problems) == 1
    assert "engineer" in written.problems[0]
    assert "SOUL.md" in office.names("writer")
    assert set(office.entries()) == {"engineer", "writer"}


def test_skills_without_text_or_with_unsafe_slugs_are_left_out(office: Office) -> None:
    office.found = (profile(skills=(skill(content=" "), skill(slug="../up"), skill(slug="ok"))),)

    written = office.sync()

    assert {name for name in office.names() if "skills" in name} == {"skills/ok/SKILL.md"}
    assert len(written.problems) == 1


def test_a_skill_of_two_megabytes_is_written_whole(office: Office) -> None:
    office.found = (profile(skills=(skill(content="x" * 2_000_000),)),)

    office.sync()

    assert (office.root / "engineer/skills/deploy/SKILL.md").stat().st_size > 2_000_000


def test_a_skill_that_cannot_be_written_stays_in_the_configuration(office: Office) -> None:
    """Its last text still stands there."""
    office.sync()
    before = office.config.read_text()
    folder = office.root / "engineer/skills/deploy"
    (folder / "SKILL.md").unlink()
    (folder / "SKILL.md").mkdir()

    written = office.sync()

    assert len(written.problems) == 1
    assert "deploy" in written.problems[0]
    assert office.config.read_text() == before
    (folder / "SKILL.md").rmdir()
    office.found = (profile(skills=()),)
    office.sync()
    assert not folder.exists()


def test_a_skill_that_cannot_be_removed_is_tried_again(office: Office) -> None:
    office.sync()
    file = office.root / "engineer/skills/test/SKILL.md"
    file.unlink()
    (file / "inside").mkdir(parents=True)
    office.found = (profile(skills=(skill(),)),)
    assert len(office.sync().problems) == 1

    (file / "inside").rmdir()
    file.rmdir()
    file.write_text("back")

    assert office.sync().problems == []
    assert not file.exists()


@pytest.mark.parametrize(
    "text", ['{"gateway": {"port": 1}, "agents": {}}', "// mine\n{}", "[]", "{", "[" * 9_000]
)
def test_a_configuration_of_somebody_else_stays(office: Office, text: str) -> None:
    """A whole configuration holds the gateway's token, and how it listens."""
    office.config.write_text(text)

    written = office.sync()

    assert office.config.read_text() == text
    assert not written.has_new_config
    assert len(written.problems) == 1
    assert "OPENCLAW_WORKSPACE_ROOT" in written.problems[0]


@pytest.mark.parametrize("text", ["", "{}", '{"agents": {"list": []}, "load": {}, "skills": {}}'])
def test_a_configuration_made_from_profiles_is_replaced(office: Office, text: str) -> None:
    office.config.write_text(text)

    assert office.sync().has_new_config
    assert set(office.entries()) == {"engineer"}


def test_a_text_with_half_a_character_is_written(office: Office) -> None:
    office.found = (profile(soul="kind \ud83d"),)

    assert office.sync().problems == []
    assert (office.root / "engineer/SOUL.md").read_text() == "kind \ufffd\n"


def test_an_account_without_agents_is_believed_only_the_second_time(office: Office) -> None:
    doubtful = Doubtful(office)
    assert len(doubtful.profiles()) == 1

    for _ in range(2):
        office.found = ()
        with pytest.raises(BackendGarbled, match="next sync"):
            doubtful.profiles()
        assert doubtful.profiles() == ()
        assert doubtful.profiles() == ()
        office.found = (profile(),)
        assert len(doubtful.profiles()) == 1


def test_a_workspace_that_cannot_be_written_is_a_problem_and_no_crash(office, tmp_path) -> None:
    (tmp_path / "agents").write_text("a file where a folder should be")

    written = office.sync()

    assert written.problems
    assert json.loads(office.config.read_text())["agents"]["entries"]["engineer"]


def test_a_new_day_brings_a_new_note(office: Office) -> None:
    office.sync()

    office.sync(date(2026, 3, 2))

    assert "memory/2026-03-03.md" in office.names()


@pytest.mark.parametrize("content", [b"gr\xfc\xdfe", b" " * (4 * 2**20 + 1) + b"{}"])
def test_a_configuration_that_cannot_be_read_stays(office: Office, content: bytes) -> None:
    """Nobody knows whose it is."""
    office.config.write_bytes(content)

    written = office.sync()

    assert office.config.read_bytes() == content
    assert any("written by somebody else" in problem for problem in written.problems)


def test_a_configuration_that_is_a_link_stays_one(office: Office, tmp_path: Path) -> None:
    office.config.symlink_to(tmp_path / "elsewhere.json")

    written = office.sync()

    assert office.config.is_symlink()
    assert any("written by somebody else" in problem for problem in written.problems)


def test_an_empty_configuration_is_nobodys(office: Office) -> None:
    office.config.write_bytes(b"")

    office.sync()

    assert office.entries()
