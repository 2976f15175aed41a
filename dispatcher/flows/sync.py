"""Hear from the backend who is in the crew, and let all processes know."""

import logging
from dataclasses import dataclass

from dispatcher.domain.roster import Changes, Roster, compare, troubles
from dispatcher.ports import Clock, Crew, RosterStore, Tally

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What came of a sync.

    Attributes:
        roster: As it is shared now.
        changes: Since the one before.
        is_doubted: The backend said that nobody is there; believed when it says so again.
    """

    roster: Roster
    changes: Changes
    is_doubted: bool = False


def sync_once(
    *,
    crew: Crew,
    store: RosterStore,
    tally: Tally,
    clock: Clock,
    term: int,
    believes_nobody: bool = False,
) -> Synced:
    """Read the crew once and share it.

    Args:
        crew: The backend.
        store: Where the roster is shared.
        tally: Counts the members and what changed.
        clock: Says when it was heard.
        term: Of the leader.
        believes_nobody: An empty list is believed, because the one before was empty too.

    Raises:
        BackendError: The last roster stays as it is.
        StoreError: The same.
        LeadLost: Another runtime leads by now.
    """
    before = store.read()
    members = crew.members()
    if before is not None and before.members and not members and not believes_nobody:
        _log.warning(
            "the backend lists no agents although there were %d: they are kept until it says so again",
            len(before.members),
            extra={"action": "sync"},
        )
        return Synced(roster=before, changes=Changes(), is_doubted=True)
    lead = crew.probe()
    changes = compare(before.members if before else (), members)
    has_changed = before is None or bool(changes) or lead != before.orchestrator
    roster = Roster(
        members=members,
        orchestrator=lead,
        heard_at=clock.now(),
        version=(before.version if before else 0) + has_changed,
    )
    store.write(roster, term=term)
    tally.synced(members=len(members), changes=changes)
    if has_changed:
        _tell(roster, changes)
    return Synced(roster=roster, changes=changes)


def _tell(roster: Roster, changes: Changes) -> None:
    _log.info(
        "the crew has %d agents: %d came, %d changed, %d left",
        len(roster.members),
        len(changes.added),
        len(changes.changed),
        len(changes.removed),
        extra={"action": "sync"},
    )
    for trouble in troubles(roster.members):
        _log.warning("%s", trouble, extra={"action": "sync"})
