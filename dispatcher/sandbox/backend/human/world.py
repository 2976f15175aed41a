"""The whole human side in one object."""

from typing import Final

from dispatcher.sandbox.backend.human.accounts import Accounts
from dispatcher.sandbox.backend.human.board import Board
from dispatcher.sandbox.backend.human.crew import Crew
from dispatcher.sandbox.backend.human.views import Views


class World(Accounts, Crew, Board, Views):
    """Everything that people can do and see; safe to use from several threads.

    All operations raise ``HumanError`` for what does not exist or is not allowed. Those that can
    create notifications call the backend's wakers after their transaction committed.
    """


OPERATIONS: Final = frozenset(name for name in dir(World) if not name.startswith("_"))
"""The names of all operations."""
