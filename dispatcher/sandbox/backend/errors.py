"""How a call can fail: as an HTTP answer, or as a function error inside a 200.

FunctionError       the function threw: HTTP 200 (or 560) with a text
TransportError      the request never reached a function: 4xx or 5xx with a code
HumanError          a person's operation was refused: 400 on the human side
"""

from typing import NoReturn


class FunctionError(Exception):
    """A function of the backend threw.

    Attributes:
        text: What it said, without prefixes.
        levels: How many functions it was thrown through: 0 before the action began, 1 from the
            action itself, 2 from a mutation that the action called.
    """

    def __init__(self, text: str, *, levels: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.levels = levels

    def report(self) -> str:
        """Write the text as a development deployment shows it, with a trace below."""
        trace = "    at handler (../convex/service/actions.ts)\n" if self.levels else ""
        return "Uncaught Error: " * self.levels + self.text + "\n" + trace


class TransportError(Exception):
    """The request is answered outside of any function.

    Attributes:
        status: The HTTP status.
        code: The stable identifier in the body.
        message: For people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class HumanError(Exception):
    """A person asked for something that does not exist or is not allowed; ask differently."""


def refuse(text: str) -> NoReturn:
    """Throw from within a function.

    Raises:
        FunctionError: Always.
    """
    raise FunctionError(text)


def refuse_person(text: str) -> NoReturn:
    """Turn a person's operation down.

    Raises:
        HumanError: Always.
    """
    raise HumanError(text)
