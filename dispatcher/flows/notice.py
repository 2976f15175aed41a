"""Tells people in the thread that a delivery died."""

import logging

from dispatcher.domain.errors import BackendMisused, BackendRedacted, BackendRefused
from dispatcher.domain.ids import NOTHING, derived_key
from dispatcher.domain.notice import notice_text
from dispatcher.flows.desk import Attempt

_log = logging.getLogger(__name__)


def tell_thread(attempt: Attempt, cause: str) -> None:
    """Post one short message, once however often this runs; it wakes no agent.

    A backend that refuses the notice does not keep the delivery from dying.

    Raises:
        BackendError: The backend is away: run this again.
        LeaseLost: The claim is gone.
    """
    entry = attempt.claim.entry
    key = derived_key(entry.notification, entry.message or NOTHING, "notice")
    if not attempt.desk.gives_notice or entry.task is None or key is None:
        return
    attempt.hold.check()
    try:
        attempt.desk.backend.post_message(
            agent=entry.agent,
            task=entry.task,
            content=notice_text(cause),
            key=key,
            wakes_agents=False,
        )
    except (BackendRefused, BackendRedacted, BackendMisused) as error:
        _log.warning("nobody was told in the thread: %s", error, extra=attempt.fields("notice"))
