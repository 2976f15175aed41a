"""Times the operations of the runtime as a whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from dispatcher.domain.redact import short_error
from dispatcher.ports import Clock, Tally


@contextmanager
def operating(tally: Tally, clock: Clock, operation: str) -> Iterator[None]:
    """Record how long the block takes, and what it fails with."""
    began, error = clock.monotonic(), None
    try:
        yield
    except Exception as failure:
        error = short_error(str(failure) or type(failure).__name__)
        raise
    finally:
        took = timedelta(seconds=clock.monotonic() - began)
        tally.operated(operation=operation, took=took, error=error)
