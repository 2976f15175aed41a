"""Puts together what a process needs to work on deliveries."""

from datetime import timedelta
from typing import Final

from dispatcher.flows.desk import Desk
from dispatcher.ports import Quarantine
from dispatcher.prompts import template
from dispatcher.settings import Settings
from dispatcher.wiring import Parts, milliseconds
from workers.renewer import Renewer

CEILING_MARGIN: Final = timedelta(minutes=2)


def claim_ceiling(settings: Settings) -> timedelta:
    """Return how long a turn may take at most: every round may use the whole time-out."""
    rounds = settings.delivery_max_tool_rounds + 1
    return rounds * milliseconds(settings.openclaw_request_timeout_ms) + CEILING_MARGIN


def make_renewer(parts: Parts) -> Renewer:
    """Make the renewer of this process; it has to be started."""
    return Renewer(
        parts.mailboxes,
        clock=parts.clock,
        lease=milliseconds(parts.settings.delivery_lease_ms),
        ceiling=claim_ceiling(parts.settings),
    )


def make_desk(parts: Parts, renewer: Renewer, *, quarantine: Quarantine | None) -> Desk:
    """Make the desk of this process."""
    return Desk(
        backend=parts.backend,
        actions=parts.actions,
        gateway=parts.gateway,
        mailboxes=parts.mailboxes,
        bell=parts.bell,
        holds=renewer,
        tally=parts.tally,
        clock=parts.clock,
        bounds=parts.bounds,
        templates=template,
        quarantine=quarantine,
        gives_notice=parts.settings.dead_letter_notice,
        tool_rounds=parts.settings.delivery_max_tool_rounds,
    )
