"""What the console looks at and steers."""

from dataclasses import dataclass

from pydantic import SecretStr

from dispatcher.domain.diagnosis import Limits
from dispatcher.ports import Backend, Clock, Controls, Mailboxes, Records, RosterStore, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSide:
    """What the console looks at and steers.

    Attributes:
        token: What an operator shows to steer; without one the console is read-only.
        hosts: Names under which it is reached, beside addresses and names without a dot.
        sandbox: URL and account of a sandbox whose threads are shown.
    """

    survey: Survey
    mailboxes: Mailboxes
    records: Records
    controls: Controls
    roster: RosterStore
    backend: Backend
    clock: Clock
    limits: Limits
    version: str
    account: str
    token: SecretStr | None = None
    hosts: tuple[str, ...] = ()
    sandbox: tuple[str, str] | None = None
