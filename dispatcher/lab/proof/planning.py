"""From a seed to the whole plan; the same seed gives the same plan, always."""

from random import Random

from dispatcher.lab.proof.load import draw_openings, draw_sayings
from dispatcher.lab.proof.plan import Options, Plan
from dispatcher.lab.proof.troubles import draw_blows


def make_plan(options: Options) -> Plan:
    """Draw everything from one generator, so that the seed tells all."""
    dice = Random(options.seed)  # noqa: S311 - chance on purpose, and repeatable
    openings = draw_openings(dice, options)
    return Plan(
        options=options,
        openings=openings,
        sayings=draw_sayings(dice, options, openings),
        blows=draw_blows(dice, options),
    )
