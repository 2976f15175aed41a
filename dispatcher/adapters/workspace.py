"""Files in the agents' workspaces: replaced atomically, never through a link that an agent made.

Agents can change everything below their folder. So each folder on the way is opened by itself,
without following links, and a file is written beside its place and renamed into it.
"""

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dispatcher.domain.text import without_lone_surrogates

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_MODE: Final = 0o2775
_FILE_MODE: Final = 0o664
"""The gateway's container runs as another user of the same group."""


class Workspace:
    """The folder of all workspaces.

    Args:
        root: It is made when it is missing, and is not a link; what is above it belongs to the
            operator.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, folders: Sequence[str], name: str, text: str) -> bool:
        """Write a file unless it says that already.

        Args:
            folders: Below the root; made when they are missing.
            name: Of the file.
            text: All of it.

        Returns:
            Whether it was written.

        Raises:
            OSError: It cannot be written, or a folder on the way is a link.
        """
        content = without_lone_surrogates(text).encode()
        with self._opened(folders) as folder:
            if _read(folder, name, at_most=len(content) + 1) == content:
                return False
            _replace(folder, name, content)
        return True

    def write_if_missing(self, folders: Sequence[str], name: str, text: str) -> bool:
        """Write a file unless there is anything of its name; see ``write``."""
        with self._opened(folders) as folder:
            try:
                os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                _replace(folder, name, text.encode())
                return True
        return False

    def read(self, folders: Sequence[str], name: str, *, at_most: int) -> str:
        """Read a file; empty when there is none, or it is longer, or no text."""
        try:
            with self._opened(folders, make=False) as folder:
                found = _read(folder, name, at_most=at_most + 1)
            return found.decode() if found is not None and len(found) <= at_most else ""
        except (OSError, UnicodeDecodeError):
            return ""

    def holds(self, folders: Sequence[str], name: str) -> bool:
        """Say whether there is anything of a name that is not empty, be it readable or not."""
        try:
            with self._opened(folders, make=False) as folder:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return not stat.S_ISREG(found.st_mode) or found.st_size > 0

    def remove(self, folders: Sequence[str], name: str) -> None:
        """Remove a file, and the folder that it stood in when nothing else is there."""
        with suppress(FileNotFoundError), self._opened(folders[:-1], make=False) as above:
            folder = os.open(folders[-1], _FOLDER, dir_fd=above)
            try:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
            finally:
                os.close(folder)
            with suppress(OSError):
                os.rmdir(folders[-1], dir_fd=above)

    @contextmanager
    def _opened(self, folders: Sequence[str], *, make: bool = True) -> Iterator[int]:
        if make:
            self._root.mkdir(parents=True, exist_ok=True)
        current = os.open(self._root, _FOLDER)
        try:
            for name in folders:
                _refuse_path(name)
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=current)
                        _set_mode(name, current)
                below = os.open(name, _FOLDER, dir_fd=current)
                os.close(current)
                current = below
            yield current
        finally:
            os.close(current)


def _set_mode(name: str, folder: int) -> None:
    made = os.open(name, _FOLDER, dir_fd=folder)
    try:
        os.fchmod(made, _FOLDER_MODE)
    finally:
        os.close(made)


def _read(folder: int, name: str, *, at_most: int) -> bytes | None:
    """Read a plain file; None when it is missing, or a link, or something else."""
    _refuse_path(name)
    try:
        found = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
        )
    except OSError:
        return None
    with os.fdopen(found, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        return file.read(at_most)


def _replace(folder: int, name: str, content: bytes) -> None:
    """Write beside the place and rename into it; a link that stands there goes, its target stays."""
    _refuse_path(name)
    beside = f".{name}.{secrets.token_hex(6)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    made = os.open(beside, flags, _FILE_MODE, dir_fd=folder)
    try:
        with os.fdopen(made, "wb") as file:
            os.fchmod(file.fileno(), _FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise


def _refuse_path(name: str) -> None:
    if not name or "/" in name or "\0" in name or name in {".", ".."}:
        raise OSError(f"{name!r} is not the name of a file")
