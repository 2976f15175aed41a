"""Profiles of agents, and where they are written."""

from collections.abc import Sequence
from typing import Protocol

from dispatcher.domain.profile import Profile


class Profiles(Protocol):
    """The backend's profiles; may raise any ``BackendError``."""

    def profiles(self) -> tuple[Profile, ...]:
        """List what the account has written about its agents, with their enabled skills."""
        ...


class Files(Protocol):
    """Files below one folder; folders that are links are refused. May raise ``OSError``."""

    def write(self, folders: Sequence[str], name: str, text: str) -> bool:
        """Write a file unless it says that already; say whether it was written."""
        ...

    def write_if_missing(self, folders: Sequence[str], name: str, text: str) -> bool:
        """Write a file unless there is anything of its name."""
        ...

    def read(self, folders: Sequence[str], name: str, *, at_most: int) -> str:
        """Read a file; empty when there is none, or it is longer, or no text."""
        ...

    def holds(self, folders: Sequence[str], name: str) -> bool:
        """Say whether there is anything of a name that is not empty, be it readable or not."""
        ...

    def remove(self, folders: Sequence[str], name: str) -> None:
        """Remove a file, and the folder that it stood in when nothing else is there."""
        ...
