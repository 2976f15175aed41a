"""The rounds of the runtime's loops."""

import logging
from datetime import timedelta
from typing import Final

from dispatcher.adapters.redis.connection import check_server
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
from dispatcher.flows.poll import poll_once
from dispatcher.flows.sweep import sweep_once
from dispatcher.runtime.leadership import Leadership
from dispatcher.runtime.pace import Pace
from dispatcher.runtime.vitals import Vitals
from dispatcher.wiring import Parts, milliseconds

_STAND_BY: Final = timedelta(milliseconds=500)
_STORE_AGAIN: Final = timedelta(seconds=2)
_PROBE: Final = timedelta(minutes=1)
_SUSPICION: Final = timedelta(seconds=20)
_SUSPICIONS: Final = 3
_GATEWAY_LOOK: Final = timedelta(seconds=15)
_GATEWAY_LOOK_AGAIN: Final = timedelta(seconds=2)

_log = logging.getLogger(__name__)


class Poller:
    """Looks for work in its own rhythm, whatever the workers do."""

    def __init__(self, parts: Parts, vitals: Vitals, leadership: Leadership) -> None:
        settings = parts.settings
        self._leadership = leadership
        self._parts = parts
        self._vitals = vitals
        self._suspicions = 0
        self._hidden = 0
        self.pace = Pace(
            fast=milliseconds(settings.delivery_fast_interval),
            slow=milliseconds(settings.delivery_interval),
            backoff_base=milliseconds(settings.delivery_backoff_base_ms),
            backoff_max=milliseconds(settings.delivery_backoff_max_ms),
        )

    def round(self) -> timedelta:
        """Poll once; a backend that does not accept us is asked about once a minute."""
        parts, term = self._parts, self._leadership.term()
        if term is None:
            return _STAND_BY
        try:
            polled = poll_once(
                backend=parts.backend,
                mailboxes=parts.mailboxes,
                bell=parts.bell,
                tally=parts.tally,
                list_limit=parts.settings.delivery_list_limit + self._hidden,
                term=term,
            )
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
        self._suspicions = 0
        self._hidden = polled.hidden
        self._vitals.poll_succeeded()
        return self.pace.after_success(
            had_work=polled.added > 0 or polled.running > 0, is_full=polled.is_full
        )

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
        return _PROBE

    def _failed(self, error: DispatcherError) -> None:
        self._vitals.poll_failed(error)
        self._parts.tally.failed("poll")
        source = "Convex" if isinstance(error, BackendError) else "Redis"
        _log.warning("the poll failed at %s: %s", source, error, extra={"action": "poll"})


class Sweeper:
    """Sweeps the mailboxes every ``DELIVERY_SWEEP_MS``."""

    def __init__(self, parts: Parts, leadership: Leadership) -> None:
        self._parts = parts
        self._leadership = leadership
        self.every = milliseconds(parts.settings.delivery_sweep_ms)

    def round(self) -> timedelta:
        """Sweep once."""
        parts, term = self._parts, self._leadership.term()
        if term is None:
            return _STAND_BY
        sweep_once(mailboxes=parts.mailboxes, bell=parts.bell, tally=parts.tally, term=term)
        return self.every


class GatewayWatch:
    """Looks at the gateway, for health; deliveries find out by themselves."""

    def __init__(self, parts: Parts, vitals: Vitals) -> None:
        self._parts = parts
        self._vitals = vitals
        self._was_ready: bool | None = None

    def round(self) -> timedelta:
        """Look once; sooner again while it is not ready."""
        state = self._parts.gateway.look()
        self._vitals.gateway_seen(state)
        if state.is_ready != self._was_ready:
            if state.is_ready:
                _log.info("the gateway is ready", extra={"action": "gateway"})
            else:
                _log.warning("%s", state.problem, extra={"action": "gateway"})
        self._was_ready = state.is_ready
        return _GATEWAY_LOOK if state.is_ready else _GATEWAY_LOOK_AGAIN


class StoreKeeper:
    """Checks the store and writes the caps into it, now and then again: Redis may be replaced."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def round(self) -> timedelta:
        """Check once, and write the caps.

        Raises:
            StoreUnusable: A person has to change something; the process must end.
        """
        settings = self._parts.settings
        check_server(self._parts.redis, allow_volatile=settings.allow_volatile_redis)
        self._parts.mailboxes.open()
        self._parts.mailboxes.set_limits(
            cap=settings.delivery_max_concurrent_sessions, agent_cap=settings.agent_cap
        )
        return timedelta(seconds=15)
