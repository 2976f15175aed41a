"""What all operations of people share: a transaction, a voice, and the waking of who listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dispatcher.sandbox.backend.access import own
from dispatcher.sandbox.backend.audit import Actor
from dispatcher.sandbox.backend.errors import FunctionError, HumanError, refuse_person
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.wakers import wake


class Acting:
    """Base of the groups of operations."""

    def __init__(self, store: Store, wakers: list[Callable[[], None]]) -> None:
        self._store = store
        self._wakers = wakers

    @contextmanager
    def _acting(self) -> Iterator[Transaction]:
        """Run an operation as one transaction; what the rules refuse is a ``HumanError``."""
        try:
            with self._store.mutation() as tx:
                yield tx
        except FunctionError as error:
            raise HumanError(error.text) from error

    @contextmanager
    def _telling(self) -> Iterator[Transaction]:
        """Run an operation that may create notifications; wake the listeners after its commit."""
        with self._acting() as tx:
            yield tx
        wake(self._wakers)


def person(tx: Transaction, account: str, user: str | None) -> Actor:
    """Return a member who acts; the oldest member when nobody is named."""
    where = {"accountId": account} if user is None else {"accountId": account, "userId": user}
    member = tx.first("memberships", **where)
    if member is None:
        refuse_person(f"no member {user or ''} in account {account}")
    return Actor.member(member)


def found(tx: Transaction, table: str, account: str, doc_id: str) -> Doc:
    """Return a document of an account, or complain."""
    doc = own(tx.get(table, doc_id), account)
    if doc is None:
        refuse_person(f"no {table.removesuffix('s')} {doc_id} in account {account}")
    return doc


def found_account(tx: Transaction, account: str) -> Doc:
    """Return an account, or complain."""
    doc = tx.get("accounts", account)
    if doc is None:
        refuse_person(f"no account {account}")
    return doc
