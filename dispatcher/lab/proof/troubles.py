"""Draws the troubles of a proof, each family in a rhythm of its own."""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Final

from dispatcher.lab.proof.decks import Deck
from dispatcher.lab.proof.plan import FREEZE_S, Blow, Options, Trouble

RUNTIMES: Final = 2

_FREEZE_EVERY_S: Final = 20.0
_REDIS_EVERY_S: Final = 45.0
_GATEWAY_EVERY_S: Final = 45.0
_BACKEND_EVERY_S: Final = 5.0
_VICTIMS: Final = (Trouble.WORKER_KILLED,) * 3 + (Trouble.RUNTIME_KILLED,)
_FREEZES: Final = (Trouble.WORKER_FROZEN,) * 2 + (Trouble.RUNTIME_FROZEN,)
_REDIS: Final = (Trouble.REDIS_KILLED, Trouble.REDIS_STOPPED)
_GATEWAY: Final = (Trouble.GATEWAY_AWAY, Trouble.GATEWAY_DRAINING)
_BACKEND: Final = tuple(
    (trouble, kind, action)
    for trouble, kind, actions in (
        (
            Trouble.BACKEND_CUT_AFTER_COMMIT,
            "drop_after_commit",
            (
                "createMessageFromAgent",
                "markNotificationDelivered",
                "getNotificationForDelivery",
                "createTaskFromAgent",
                "createDocumentFromAgent",
                "updateTaskStatusFromAgent",
                "listUndeliveredNotifications",
            ),
        ),
        (Trouble.BACKEND_CUT_BEFORE, "drop", ("*", "createMessageFromAgent")),
        (Trouble.BACKEND_FAILED, "500_after_commit", ("createMessageFromAgent", "*")),
        (Trouble.BACKEND_FAILED, "503_overload", ("*",)),
        (Trouble.BACKEND_FAILED, "502_html", ("markNotificationDelivered",)),
        (Trouble.BACKEND_FAILED, "write_conflict", ("markNotificationDelivered",)),
        (Trouble.BACKEND_SLOW, "delay", ("*", "createMessageFromAgent")),
    )
    for action in actions
)


def draw_blows(dice: Random, options: Options) -> tuple[Blow, ...]:
    """Draw all troubles, in order of time."""
    blows = [
        *_kills(dice, options),
        *_freezes(dice, options),
        *_restarts(dice, options),
        *_gateway_troubles(dice, options),
        *_backend_troubles(dice, options),
    ]
    if options.flushes:
        blows.append(Blow(at_s=options.seconds / 2, trouble=Trouble.REDIS_FLUSHED))
    return tuple(sorted(blows, key=lambda blow: blow.at_s))


def _kills(dice: Random, options: Options) -> Iterator[Blow]:
    victims = Deck(dice, _VICTIMS)
    gap = (options.last_s - options.first_s) / max(1, options.kills)
    for number in range(options.kills):
        trouble = victims.draw()
        is_worker = trouble is Trouble.WORKER_KILLED
        yield Blow(
            at_s=options.first_s + gap * (number + dice.random()),
            trouble=trouble,
            target=dice.randrange(options.workers if is_worker else RUNTIMES),
            wants_leader=not is_worker and dice.random() < 0.7,
        )


def _freezes(dice: Random, options: Options) -> Iterator[Blow]:
    kinds = Deck(dice, _FREEZES)
    for at_s in _rhythm(dice, _FREEZE_EVERY_S, options.first_s, options.last_s - FREEZE_S):
        trouble = kinds.draw()
        is_worker = trouble is Trouble.WORKER_FROZEN
        yield Blow(
            at_s=at_s,
            trouble=trouble,
            target=dice.randrange(options.workers if is_worker else RUNTIMES),
            wants_leader=not is_worker and dice.random() < 0.7,
            lasting_s=FREEZE_S,
        )


def _restarts(dice: Random, options: Options) -> Iterator[Blow]:
    kinds = Deck(dice, _REDIS)
    for at_s in _rhythm(dice, _REDIS_EVERY_S, options.first_s + 10, options.last_s):
        yield Blow(at_s=at_s, trouble=kinds.draw(), lasting_s=dice.uniform(0.3, 3.0))


def _gateway_troubles(dice: Random, options: Options) -> Iterator[Blow]:
    kinds = Deck(dice, _GATEWAY)
    for at_s in _rhythm(dice, _GATEWAY_EVERY_S, options.first_s + 15, options.last_s - 5):
        yield Blow(at_s=at_s, trouble=kinds.draw(), lasting_s=dice.uniform(2.0, 5.0))


def _backend_troubles(dice: Random, options: Options) -> Iterator[Blow]:
    kinds = Deck(dice, _BACKEND)
    for at_s in _rhythm(dice, _BACKEND_EVERY_S, options.first_s, options.last_s):
        trouble, kind, action = kinds.draw()
        is_slow = trouble is Trouble.BACKEND_SLOW
        yield Blow(
            at_s=at_s,
            trouble=trouble,
            kind=kind,
            action=action,
            count=dice.randint(1, 3),
            lasting_s=dice.uniform(0.5, 2.0) if is_slow else 0.0,
        )


def _rhythm(dice: Random, every_s: float, first_s: float, last_s: float) -> Iterator[float]:
    """Yield about one instant for each stretch of ``every_s``, never two close together."""
    for number in count():
        at_s = first_s + every_s * (number + dice.uniform(0.0, 0.3))
        if at_s > last_s:
            return
        yield at_s
