"""Puts together what a process needs to work on deliveries."""

from dispatcher.flows.desk import Desk, Waking
from dispatcher.ports import Quarantine
from dispatcher.prompts import render
from dispatcher.wiring import Parts, claim_ceiling, milliseconds
from workers.renewer import Renewer


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
        render=render,
        reach=parts.passes.reach,
        has_client_tools=parts.settings.openclaw_client_tools_enabled,
        quarantine=quarantine,
        waking=Waking(
            roster=parts.roster,
            tasks=parts.tasks,
            heartbeats=parts.heartbeats,
            skips_idle=parts.settings.heartbeat_skip_idle,
        ),
        gives_notice=parts.settings.dead_letter_notice,
        tool_rounds=parts.settings.delivery_max_tool_rounds,
    )
