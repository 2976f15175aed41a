"""The poller: looks for work in its own rhythm, and notices when the backend rejects us."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from dispatcher.domain.errors import (
    BackendError,
    CredentialsRejected,
    CredentialsSuspected,
    DeploymentOff,
    DispatcherError,
    LeadLost,
    StoreError,
    StoreUnusable,
)
from dispatcher.domain.ids import NotificationId
from dispatcher.flows.audit import finish_marks
from dispatcher.flows.carry import make_room
from dispatcher.flows.poll import MOST_ROWS, Polled, poll_once
from dispatcher.runtime.leadership import STAND_BY, Leadership
from dispatcher.runtime.operations import operating
from dispatcher.runtime.pace import Pace
from dispatcher.runtime.vitals import Vitals
from dispatcher.wiring import Parts, milliseconds

_STORE_AGAIN: Final = timedelta(seconds=2)
_PROBE: Final = timedelta(minutes=1)
_SUSPICION: Final = timedelta(seconds=20)
_SUSPICIONS: Final = 3

_log = logging.getLogger(__name__)


class Poller:
    """Looks for work in its own rhythm, whatever the workers do."""

    def __init__(
        self,
        parts: Parts,
        vitals: Vitals,
        leadership: Leadership,
        *,
        on_mismatch: Callable[[], None],
    ) -> None:
        settings = parts.settings
        self._leadership = leadership
        self._parts = parts
        self._vitals = vitals
        self._on_mismatch = on_mismatch
        self._suspicions = 0
        self._hidden = 0
        self._refused: frozenset[NotificationId] = frozenset()
        self.pace = Pace(
            fast=milliseconds(settings.delivery_fast_interval),
            slow=milliseconds(settings.delivery_interval),
            backoff_base=milliseconds(settings.delivery_backoff_base_ms),
            backoff_max=milliseconds(settings.delivery_backoff_max_ms),
        )

    def round(self) -> timedelta:
        """Poll once; a backend that does not accept us is asked about once a minute."""
        term = self._leadership.term()
        if term is None:
            self._vitals.stands_by()
            self._suspicions = 0
            return STAND_BY
        try:
            polled = self._timed_poll(term)
        except (CredentialsRejected, DeploymentOff) as error:
            return self._rejected(str(error))
        except CredentialsSuspected as error:
            self._suspicions += 1
            if self._suspicions >= _SUSPICIONS:
                return self._rejected(str(error))
            self._failed(error)
            return _SUSPICION
        except (StoreUnusable, LeadLost):
            raise
        except StoreError as error:
            # Redis is next door and comes back soon; only the backend is spared by backing off.
            self._failed(error)
            return _STORE_AGAIN
        except DispatcherError as error:
            self._failed(error)
            return self.pace.after_failure()
        return self.pace.after_success(
            had_work=polled.added > 0 or polled.running > 0, is_full=polled.is_full
        )

    def _timed_poll(self, term: int) -> Polled:
        with operating(self._parts.tally, self._parts.clock, "delivery.poll"):
            return self._poll(term)

    def _poll(self, term: int) -> Polled:
        parts = self._parts
        polled = poll_once(
            backend=parts.backend,
            mailboxes=parts.mailboxes,
            bell=parts.bell,
            tally=parts.tally,
            list_limit=parts.settings.delivery_list_limit + self._hidden,
            term=term,
        )
        if self._suspicions or self._vitals.are_credentials_rejected():
            parts.mailboxes.stop_backend(None)
        self._suspicions = 0
        if polled.hidden > self._hidden:
            # Listed and in no mailbox: the audit finds out why.
            self._on_mismatch()
        self._hidden = polled.hidden
        self._vitals.poll_succeeded(listed=polled.listed)
        if polled.listed >= MOST_ROWS:
            make_room(**self._ports())
        elif polled.marking:
            # What was refused before is tried again by the audit: new mail shall not wait for it.
            self._refused |= finish_marks(**self._ports(), but=self._refused)
        else:
            self._refused = frozenset()
        return polled

    def _ports(self) -> dict[str, Any]:
        parts = self._parts
        return {
            "backend": parts.backend,
            "mailboxes": parts.mailboxes,
            "books": parts.books,
            "bell": parts.bell,
        }

    def _rejected(self, text: str) -> timedelta:
        self._vitals.credentials_rejected(text)
        _log.error(
            "Convex does not accept ACCOUNT_ID and SERVICE_TOKEN, or is switched off: %s; "
            "nothing is delivered; asked again in a minute. The token must be generated in the "
            "deployment that CONVEX_URL names.",
            text,
            extra={"action": "poll"},
        )
        self._parts.tally.failed("poll")
        self._parts.mailboxes.stop_backend("credentials_rejected")
        return _PROBE

    def _failed(self, error: DispatcherError) -> None:
        self._vitals.poll_failed(error)
        self._parts.tally.failed("poll")
        source = "Convex" if isinstance(error, BackendError) else "Redis"
        _log.warning("the poll failed at %s: %s", source, error, extra={"action": "poll"})
