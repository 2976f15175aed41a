"""One proof from the first process to the last, with the evidence as its result."""

from collections.abc import Callable
from pathlib import Path

from dispatcher.lab.proof.evidence import Evidence, keep
from dispatcher.lab.proof.gather import gather
from dispatcher.lab.proof.plan import Options
from dispatcher.lab.proof.planning import make_plan
from dispatcher.lab.proof.player import SETTLE_S, Player, Progress
from dispatcher.lab.proof.stage import Stage
from dispatcher.ports import Clock

START_AND_STOP_S = 120.0
"""How long starting, gathering and stopping may take together."""


def limit_s(options: Options) -> float:
    """Return after how many seconds a proof has gone wrong."""
    return options.seconds + SETTLE_S + START_AND_STOP_S


def perform(options: Options, folder: Path, clock: Clock, say: Callable[[str], None]) -> Evidence:
    """Start a stack, play the plan, wait for the end, collect the evidence, stop the stack.

    Args:
        options: What was chosen.
        folder: For logs and data; the evidence is kept there as well.
        clock: The machine's.
        say: Tells people what goes on.

    Raises:
        StackFailed: A part of the stack did not come up or does not answer.
        NoRedisServer: There is no Redis to start.
    """
    stage = Stage(folder, options)
    say("Starting Redis, the sandbox, runtimes and workers …")
    stage.start()
    try:
        player = Player(stage, make_plan(options), clock, lambda found: say(_told(found)))
        player.play()
        say("All troubles are over; waiting until everything is delivered …")
        if not player.settle():
            say(f"Not everything was settled within {SETTLE_S:.0f} s.")
        evidence = gather(stage, player, clock)
    finally:
        say("Stopping …")
        stage.stop()
    keep(evidence, folder / "evidence.json")
    return evidence


def _told(progress: Progress) -> str:
    done = progress.notifications - progress.waiting
    return (
        f"{progress.at_s:6.0f} s  {progress.said} messages, {done} of {progress.notifications} "
        f"notifications delivered, {progress.kills} kills, {progress.faults} faults"
    )
