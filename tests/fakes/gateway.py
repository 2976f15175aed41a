"""A gateway in memory that says what a test gave it to say."""

from dispatcher.domain.reply import Reply
from dispatcher.ports import Ask, Hold
from tests.fakes.diary import Diary

GREETING = "The build is green again."


class FakeGateway:
    """See ``dispatcher.ports.Gateway``.

    Attributes:
        asks: All that was asked.
        replies: What is said next; when used up, the greeting is repeated.
    """

    def __init__(self, diary: Diary) -> None:
        self._diary = diary
        self.asks: list[Ask] = []
        self.replies: list[Reply] = []

    def will_say(self, *replies: Reply | str) -> None:
        self.replies += [Reply(text=one) if isinstance(one, str) else one for one in replies]

    def ask(self, ask: Ask, *, hold: Hold) -> Reply:
        self.asks.append(ask)
        self._diary.note("ask")
        return self.replies.pop(0) if self.replies else Reply(text=GREETING)
