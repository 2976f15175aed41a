"""What people read in the thread when a notification could not be answered."""

from typing import Final

from dispatcher.domain.retry import Cause

_TIME: Final = "the agent took longer than it may"
_WORDS: Final = {
    Cause.AGENT_UNAVAILABLE: "the agent cannot run at the moment: its model or its gateway refuses",
    Cause.ASK_REFUSED: "the request was refused, perhaps because it is too long",
    Cause.ASK_FAILED: "the agent's run failed again and again",
    Cause.ASK_TIMED_OUT: _TIME,
    Cause.ASK_LOST: "the connection to the agent broke again and again",
    Cause.BACKEND_REFUSED: "its answer could not be stored here",
    Cause.BACKEND_REDACTED: "its answer could not be stored here",
}
_OTHERWISE: Final = "something went wrong inside the dispatcher"


def notice_text(cause: str) -> str:
    """Say in human words that there will be no answer, and why.

    Args:
        cause: A ``Cause`` by its value; any other text gets the general words.
    """
    why = next((words for known, words in _WORDS.items() if known.value == cause), _OTHERWISE)
    return (
        f"_This could not be answered: {why}. It is not tried again by itself; "
        "write again, or ask an operator to look at it._"
    )
