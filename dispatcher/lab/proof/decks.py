"""Drawing so that every kind comes up early and often."""

from random import Random
from typing import Generic, TypeVar

Card = TypeVar("Card")


class Deck(Generic[Card]):
    """Cards in random order, all of them before any comes again."""

    def __init__(self, dice: Random, cards: tuple[Card, ...]) -> None:
        self._dice = dice
        self._cards = cards
        self._left: list[Card] = []

    def draw(self) -> Card:
        """Take the next card."""
        if not self._left:
            self._left = list(self._cards)
            self._dice.shuffle(self._left)
        return self._left.pop()
