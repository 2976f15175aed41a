"""Tokens that prove, over HTTP, which turn of which agent a call belongs to.

A token is signed and expires with its turn. It carries the rights that the agent has in this turn,
so that a call over HTTP may do exactly what a tool call may, and nobody has to be asked.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from pydantic import SecretStr

from dispatcher.domain.ids import SessionKey
from dispatcher.domain.rights import Rights, dump_rights, load_rights
from dispatcher.ports import Clock

PREFIX: Final = "turn_"
LONGEST: Final = 2_000
_SKEW: Final = timedelta(minutes=2)
"""Worker and runtime may be on machines whose clocks disagree."""
_SALT: Final = "mission-control turn token 1"


class TokenRefused(Exception):
    """A token that does not prove anything; the text is for its bearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a token proves.

    Attributes:
        session: A fingerprint of the session key, for limits and logs; never the key itself.
    """

    rights: Rights
    session: str


def fingerprint(session_key: SessionKey) -> str:
    """Name a session without giving its key away."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:16]


def signing_key(own: SecretStr | None, service_token: SecretStr) -> SecretStr:
    """Give the key that signs: TURN_TOKEN_KEY, else one that follows from the service token.

    Source:
        HKDF with SHA-256 (RFC 5869), one block.
    """
    if own is not None and own.get_secret_value():
        return own
    extracted = hmac.digest(b"", service_token.get_secret_value().encode(), "sha256")
    return SecretStr(hmac.digest(extracted, _SALT.encode() + b"\x01", "sha256").hex())


class TurnTokens:
    """Mints and reads tokens.

    Args:
        key: Signs them.
        life: How long one is good: as long as a turn may take.
        clock: Tells when one was minted and whether it has expired.
    """

    def __init__(self, key: SecretStr, *, life: timedelta, clock: Clock) -> None:
        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock.now().timestamp())

        self._clock = clock
        self._life = life + _SKEW
        self._serializer = URLSafeTimedSerializer(
            key.get_secret_value(),
            salt=_SALT,
            signer=Signer,
            signer_kwargs={"digest_method": hashlib.sha256},
        )

    def mint(self, rights: Rights, session_key: SessionKey) -> str:
        """Mint the token of one turn."""
        return PREFIX + str(self._serializer.dumps(dump_pass(rights, fingerprint(session_key))))

    def read(self, token: str) -> Pass:
        """Read a token.

        Raises:
            TokenRefused: It is none of ours, was changed, or has expired.
        """
        if not token.startswith(PREFIX) or len(token) > LONGEST:
            raise TokenRefused("Unknown session key")
        try:
            found, minted = self._serializer.loads(
                token.removeprefix(PREFIX), return_timestamp=True
            )
            given = load_pass(found)
        except (BadData, KeyError, TypeError, ValueError) as error:
            raise TokenRefused("Unknown session key") from error
        if self._clock.now() - minted > self._life:
            raise TokenRefused("This turn is over: its token has expired")
        return given


def dump_pass(rights: Rights, session: str) -> dict[str, Any]:
    """Write a pass as plain JSON."""
    return {"session": session, "rights": dump_rights(rights)}


def load_pass(found: dict[str, Any]) -> Pass:
    """Read a pass from plain JSON.

    Raises:
        KeyError, TypeError: It was not written by ``dump_pass``.
    """
    return Pass(session=found["session"], rights=load_rights(found["rights"]))
