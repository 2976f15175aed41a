"""The check of the service token, on every call."""

import hashlib
from typing import Final

from dispatcher.domain.text import utf16_units
from dispatcher.sandbox.backend.errors import FunctionError, refuse
from dispatcher.sandbox.backend.store import Store
from dispatcher.sandbox.backend.validators import ACCOUNT

_PREFIX: Final = "mc_service_"
_MAX_UNITS: Final = 512
_PARTS: Final = 4


def secret_hash(secret: str) -> str:
    """Hash a secret as it is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_token(account: str, secret: str) -> str:
    """Write the token of an account."""
    return f"{_PREFIX}{account}_{secret}"


def check_token(store: Store, account: str, token: str) -> None:
    """Let the call pass, or throw what the first failing check says.

    Raises:
        FunctionError: The credentials are not good; permanent until an operator acts.
    """
    if utf16_units(token) > _MAX_UNITS:
        refuse("Invalid service token")
    if not token.startswith(_PREFIX):
        refuse("Invalid service token format")
    parts = token.split("_")
    if len(parts) < _PARTS:
        refuse("Invalid service token structure")
    named, secret = parts[2], "_".join(parts[3:])
    _check_secret(store, named, secret)
    if named != account:
        refuse("Forbidden: Service token does not match account")


def _check_secret(store: Store, named: str, secret: str) -> None:
    try:
        ACCOUNT.check(named, ".accountId")
    except FunctionError as error:
        error.levels += 1
        raise
    with store.query() as tx:
        account = tx.get("accounts", named)
    if account is None:
        refuse("Not found: Account does not exist")
    if "serviceTokenHash" not in account:
        refuse("Forbidden: Account has no service token configured")
    if account["serviceTokenHash"] != secret_hash(secret):
        refuse("Invalid service token")
