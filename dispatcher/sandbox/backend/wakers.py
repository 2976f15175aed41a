"""Those who want to hear at once that a person did something."""

import threading
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

_TIMEOUT_S: Final = 2.0


def wake(wakers: Iterable[Callable[[], None]]) -> None:
    """Call every waker; whatever goes wrong there is no concern of the person who acted."""
    for waker in tuple(wakers):
        with suppress(Exception):
            waker()


def http_waker(url: str, token: str) -> Callable[[], None]:
    """Make a waker that posts to a URL from a thread of its own, once, without retries.

    Raises:
        ValueError: The URL is not one of HTTP.
    """
    if not url.startswith(("http://", "https://")):
        message = f"not an http url: {url}"
        raise ValueError(message)
    headers = {"Authorization": f"Bearer {token}"}

    def send() -> None:
        request = urllib.request.Request(url, b"", headers, method="POST")  # noqa: S310 - checked above
        with suppress(OSError), urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - same
            pass

    return lambda: threading.Thread(target=send, daemon=True).start()
