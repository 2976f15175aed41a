"""The tree of errors.

DispatcherError
├── SettingsInvalid           the settings cannot be used; lists every problem
├── StoreError
│   ├── StoreUnavailable      Redis cannot be reached, or refuses writes
│   └── StoreUnusable         Redis answers, but may not be used: evicts, newer layout
├── JournalUnreadable         a journal of a newer version or a broken form
├── LeadLost                  another runtime leads: its work is not ours
├── LeaseLost                 the claim is no longer ours: stop, touch nothing
├── BackendError
│   ├── BackendUnavailable    not executed: refused, overloaded before it ran
│   ├── BackendUncertain      may have been executed: lost, timed out, 5xx
│   ├── BackendMisused        HTTP 4xx: wrong URL, wrong client; asking again will not help
│   ├── BackendRefused        the function said no, readably, for good
│   │   └── RowGone           the notification does not exist any more
│   ├── BackendRedacted       the function said no and hides why
│   ├── BackendGarbled        an answer that is not of the agreed form
│   │   └── ContextMalformed  one row's context is not of the agreed form
│   ├── CredentialsSuspected  the function and the credential probe both say no and hide why
│   ├── CredentialsRejected   the service token or account is wrong: stop
│   └── DeploymentOff         paused, disabled or suspended by its owner: stop
└── GatewayError
    ├── GatewayUnavailable    not taken: refused, draining, behind a broken proxy
    ├── GatewayMisconfigured  wrong token, endpoint disabled, unknown request form
    ├── AgentUnavailable      this agent cannot run now: unknown, its provider says no
    ├── AskRefused            this very request is refused: asking again will not help
    ├── AskFailed             the agent may have acted; no usable answer came
    │   ├── AskTimedOut       no whole answer within the time-out
    │   └── AskLost           the connection broke after the request was sent
    └── AskCancelled          we closed the connection ourselves
"""

from datetime import timedelta


class DispatcherError(Exception):
    """The root: whatever this program raises on purpose."""


class SettingsInvalid(DispatcherError):
    """The settings cannot be used. Print it and end with exit code 78.

    Attributes:
        problems: One sentence each, with the variable's name, never with a secret.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"The settings cannot be used:\n{lines}")
        self.problems = problems


class StoreError(DispatcherError):
    """The mailbox store cannot be used."""


class StoreUnavailable(StoreError):
    """Redis cannot be reached or refuses to write. The step may have happened; all are repeatable."""


class StoreUnusable(StoreError):
    """Redis answers but must not be used as it is. A person has to change something."""


class JournalUnreadable(DispatcherError):
    """A journal record of a version or form that this program does not know.

    Attributes:
        is_newer: A newer program wrote it and can go on; leave it alone.
    """

    def __init__(self, text: str, *, is_newer: bool = False) -> None:
        super().__init__(text)
        self.is_newer = is_newer


class LeadLost(DispatcherError):
    """Another runtime leads by now. What was to be done is its work."""


class LeaseLost(DispatcherError):
    """The claim is not ours any more, or we cannot know. Stop at once and touch nothing."""


class BackendError(DispatcherError):
    """A call of the backend did not succeed. The text is already redacted."""


class BackendUnavailable(BackendError):
    """The call was not executed. Any call may be repeated later."""


class BackendUncertain(BackendError):
    """Nobody knows whether the call was executed. Repeat only what is safe to repeat."""


class BackendMisused(BackendError):
    """The backend does not understand us: wrong URL, version or header. Tell the operator."""


class BackendRefused(BackendError):
    """The backend said no for good: a rule, a missing document, a malformed argument."""


class RowGone(BackendRefused):
    """The notification was deleted, with its task or agent. There is nothing left to do for it."""


class BackendRedacted(BackendError):
    """The backend said no and hides why. Probe the credentials; repeat a bounded number of times."""


class BackendGarbled(BackendError):
    """An answer that is not of the agreed form: HTML of a proxy, a missing member."""


class ContextMalformed(BackendGarbled):
    """The context of one row is not of the agreed form. Other rows may be well: spend an attempt."""


class CredentialsSuspected(BackendError):
    """A call and the credential probe were both refused without a reason. Probe again soon."""


class CredentialsRejected(BackendError):
    """The backend does not accept our account or token. Stop calling; probe once a minute."""


class DeploymentOff(BackendError):
    """The deployment is paused, disabled or suspended. Stop calling; probe once a minute."""


class GatewayError(DispatcherError):
    """An ask did not bring a reply. The text is already redacted."""


class GatewayUnavailable(GatewayError):
    """The request was not taken. Wait for the gateway; no attempt is spent.

    Attributes:
        retry_after: The gateway's own wish, or None.
    """

    def __init__(self, text: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class GatewayMisconfigured(GatewayError):
    """The gateway refuses all of our requests. An operator has to change something."""


class AgentUnavailable(GatewayError):
    """This agent cannot run now; others can.

    Attributes:
        rest: How long to leave the agent alone at least, or None for the usual growing rest.
        is_throttled: Its provider wants fewer requests: the usual back-off is enough.
    """

    def __init__(
        self, text: str, *, rest: timedelta | None = None, is_throttled: bool = False
    ) -> None:
        super().__init__(text)
        self.rest = rest
        self.is_throttled = is_throttled


class AskRefused(GatewayError):
    """This request will never be accepted: too large, or refused by the model's provider."""


class AskFailed(GatewayError):
    """No usable answer came, and the agent may have acted. An attempt is spent."""


class AskTimedOut(AskFailed):
    """No whole answer within the time-out; the connection was closed, which aborts the run."""


class AskLost(AskFailed):
    """The connection broke after the request was sent."""


class AskCancelled(GatewayError):
    """The exchange was closed from our side: the lease was lost, or the worker drains."""
