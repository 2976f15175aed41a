"""What people look at: everything that runs, waits or happened, in bounded looks."""

from collections.abc import Sequence
from typing import Protocol

from dispatcher.domain.activity import Activity
from dispatcher.domain.ids import AgentId
from dispatcher.domain.standing import Load, Places, Standing, Where


class Survey(Protocol):
    """Looks at the store from outside; every method may raise ``StoreUnavailable``."""

    def places(self, where: Where, *, most: int) -> Places:
        """List the first mailboxes that stand somewhere.

        Running ones by how long they run, waiting ones in the order of the line, resting ones by
        when they are due.
        """
        ...

    def loads(self, agents: Sequence[AgentId]) -> tuple[Load, ...]:
        """Tell of each agent what it does now."""
        ...

    def standing(self) -> Standing:
        """Tell which processes live, and what happened since the store began."""
        ...

    def last_hour(self) -> Activity:
        """Tell what happened minute by minute."""
        ...

    def last_day(self) -> Activity:
        """Tell what happened in each quarter of an hour."""
        ...
