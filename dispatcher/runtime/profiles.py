"""Profile sync: with every sync of the crew, and never a reason for that one to fail."""

import logging
from datetime import timedelta
from pathlib import Path

from dispatcher.adapters.workspace import Workspace
from dispatcher.domain.errors import BackendError, BackendGarbled
from dispatcher.domain.profile import Profile
from dispatcher.flows.profiles import Place, sync_profiles
from dispatcher.ports.profiles import Profiles
from dispatcher.prompts import manuals
from dispatcher.runtime.leadership import STAND_BY, Leadership
from dispatcher.runtime.vitals import Vitals
from dispatcher.settings import Settings
from dispatcher.wiring import Parts, milliseconds

_log = logging.getLogger(__name__)


class Doubtful:
    """The backend's profiles, but that there are none is believed only the second time.

    An account that is empty for a moment would make the gateway forget all agents.
    """

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._doubts = True

    def profiles(self) -> tuple[Profile, ...]:
        """List them.

        Raises:
            BackendGarbled: The backend has named some before, or nothing yet, and names none now.
        """
        found = self._profiles.profiles()
        if not found and self._doubts:
            self._doubts = False
            raise BackendGarbled(
                "there are none; that is believed when the next sync says it again"
            )
        self._doubts = bool(found)
        return found


class ProfileSync:
    """Writes profiles every ``AGENT_SYNC_INTERVAL`` while this runtime leads."""

    def __init__(self, parts: Parts, vitals: Vitals, leadership: Leadership) -> None:
        self._parts = parts
        self._vitals = vitals
        self._leadership = leadership
        self._every = milliseconds(parts.settings.agent_sync_interval)
        self._place = place_of(parts.settings)
        self._told: tuple[str, ...] = ()
        self._doubtful = Doubtful(parts.backend)
        if not parts.settings.openclaw_profile_sync and parts.settings.openclaw_gateway_url:
            _log.warning(
                "OPENCLAW_PROFILE_SYNC is off: the gateway must know the agents by itself",
                extra={"action": "profiles"},
            )

    def round(self) -> timedelta:
        """Write once."""
        if not self._parts.settings.openclaw_profile_sync:
            return self._every
        if self._leadership.term() is None or self._vitals.are_credentials_rejected():
            return STAND_BY
        try:
            written = sync_profiles(
                profiles=self._doubtful,
                place=self._place,
                today=self._parts.clock.now().date(),
            )
        except BackendError as error:
            self._tell((f"The profiles cannot be read: {error}",))
            return self._every
        self._tell(tuple(written.problems))
        if written.files or written.has_new_config:
            _log.info(
                "%d files of profiles written%s",
                written.files,
                ", and a new configuration of the gateway" if written.has_new_config else "",
                extra={"action": "profiles"},
            )
        return self._every

    def _tell(self, problems: tuple[str, ...]) -> None:
        self._vitals.profiles_synced(problems)
        for problem in problems:
            if problem not in self._told:
                _log.error("%s", problem, extra={"action": "profiles"})
        denied = [one for one in problems if "ermission denied" in one or "ead-only" in one]
        if denied and not self._told:
            _log.error(
                "the workspaces must belong to the user of the runtime, or to a group of it: "
                "chown -R the folder that OPENCLAW_WORKSPACE_ROOT names",
                extra={"action": "profiles"},
            )
        self._told = problems


def place_of(settings: Settings) -> Place:
    """Say where profiles go by the settings."""
    root = Path(settings.openclaw_workspace_root)
    return Place(
        workspaces=Workspace(root),
        parent=Workspace(root.parent),
        gateway_root=settings.workspace_seen_by_gateway,
        manuals=manuals(),
        has_ai_gateway=settings.has_ai_gateway,
    )
