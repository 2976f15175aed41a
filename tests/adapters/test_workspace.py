"""Files in workspaces that agents can change: nothing is written where a link of theirs leads."""

import os
import stat
import threading
from pathlib import Path

import pytest

from dispatcher.adapters.workspace import Workspace


def listed(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "agents"


@pytest.fixture
def files(root: Path) -> Workspace:
    return Workspace(root)


def test_a_file_is_written_once_and_only_when_it_changes(files: Workspace, root: Path) -> None:
    assert files.write(["a", "skills", "b"], "SKILL.md", "one")
    before = (root / "a/skills/b/SKILL.md").stat()
    assert not files.write(["a", "skills", "b"], "SKILL.md", "one")
    assert (root / "a/skills/b/SKILL.md").stat().st_ino == before.st_ino

    assert files.write(["a", "skills", "b"], "SKILL.md", "two")
    assert (root / "a/skills/b/SKILL.md").read_text() == "two"
    assert listed(root / "a/skills/b") == ["SKILL.md"]


@pytest.mark.parametrize("text", ["", "on", "one more", "on\u00e9"])
def test_every_byte_counts(files: Workspace, root: Path, text: str) -> None:
    files.write(["a"], "F.md", "one")

    assert files.write(["a"], "F.md", text)
    assert (root / "a/F.md").read_text() == text


def test_the_gateways_user_may_change_what_belongs_to_the_agent(files, root: Path) -> None:
    """It runs in another container, in the same group."""
    before = os.umask(0o077)
    try:
        files.write(["a", "memory"], "WORKING.md", "x")
    finally:
        os.umask(before)

    assert stat.S_IMODE((root / "a/memory/WORKING.md").stat().st_mode) == 0o664
    assert stat.S_IMODE((root / "a/memory").stat().st_mode) == 0o2775


@pytest.mark.parametrize("way", [["a"], ["a", "skills"], ["a", "skills", "b"]])
def test_item_163_a_folder_that_is_a_link_is_refused(
    files: Workspace, root: Path, tmp_path: Path, way: list[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = root.joinpath(*way)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)

    with pytest.raises(OSError, match=r"."):
        files.write(["a", "skills", "b"], "SKILL.md", "text")

    assert list(elsewhere.iterdir()) == []


def test_item_163_a_file_that_is_a_link_is_replaced_and_its_target_stays(
    files: Workspace, root: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("keep")
    (root / "a").mkdir(parents=True)
    (root / "a/SOUL.md").symlink_to(secret)

    assert files.write(["a"], "SOUL.md", "keep")

    assert secret.read_text() == "keep"
    assert not (root / "a/SOUL.md").is_symlink()
    assert (root / "a/SOUL.md").read_text() == "keep"


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_file_does_not_hold_us_up(files: Workspace, root: Path) -> None:
    (root / "a").mkdir(parents=True)
    os.mkfifo(root / "a/SOUL.md")

    assert files.write(["a"], "SOUL.md", "text")
    assert (root / "a/SOUL.md").read_text() == "text"


def test_what_belongs_to_the_agent_is_never_written_again(
    files, root: Path, tmp_path: Path
) -> None:
    assert files.write_if_missing(["a"], "MEMORY.md", "heading")
    (root / "a/MEMORY.md").write_text("mine")
    (root / "a/TODAY.md").symlink_to(tmp_path / "nowhere")

    assert not files.write_if_missing(["a"], "MEMORY.md", "heading")
    assert not files.write_if_missing(["a"], "TODAY.md", "heading")
    assert (root / "a/MEMORY.md").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/etc/passwd", "a\0b"])
def test_names_that_are_paths_are_refused(files: Workspace, name: str) -> None:
    for folders, file in (([name], "F.md"), ([], name)):
        with pytest.raises(OSError, match="is not the name of a file"):
            files.write(folders, file, "x")


def test_removing_takes_the_file_and_an_empty_folder_and_nothing_else(files, root: Path) -> None:
    files.write(["a", "skills", "b"], "SKILL.md", "x")
    files.write(["a", "skills", "c"], "SKILL.md", "x")
    files.write(["a", "skills", "c"], "notes.md", "mine")

    for skill in ("b", "c", "never-was"):
        files.remove(["a", "skills", skill], "SKILL.md")

    assert sorted(listed(root / "a/skills")) == ["c"]
    assert listed(root / "a/skills/c") == ["notes.md"]


def test_removing_and_reading_make_no_folders(files: Workspace, root: Path) -> None:
    files.remove(["a", "skills", "b"], "SKILL.md")
    assert files.read(["a"], "F.md", at_most=9) == ""

    assert not root.exists()


def test_a_root_that_is_a_link_is_refused(files: Workspace, root: Path, tmp_path: Path) -> None:
    """The gateway's container can change the folder that it stands in."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root.symlink_to(elsewhere)

    with pytest.raises(OSError, match=r"."):
        files.write(["a"], "F.md", "text")

    assert list(elsewhere.iterdir()) == []


def test_removing_does_not_follow_a_link(files: Workspace, root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "SKILL.md").write_text("keep")
    (root / "a/skills").mkdir(parents=True)
    (root / "a/skills/b").symlink_to(elsewhere)

    with pytest.raises(OSError, match=r"."):
        files.remove(["a", "skills", "b"], "SKILL.md")

    assert (elsewhere / "SKILL.md").read_text() == "keep"


def test_a_disk_that_is_full_leaves_the_old_file(
    files: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(["a"], "F.md", "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(["a"], "F.md", "new")

    assert (root / "a/F.md").read_text() == "old"
    assert listed(root / "a") == ["F.md"]


def test_item_163_a_reader_never_sees_half_a_file(files: Workspace, root: Path) -> None:
    texts = ["a" * 200_000, "b" * 200_000]
    files.write(["a"], "F.md", texts[0])
    stop, odd = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            found = (root / "a/F.md").read_text()
            if found not in texts:
                odd.append(len(found))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        files.write(["a"], "F.md", texts[number % 2])
    stop.set()
    reader.join()

    assert odd == []
