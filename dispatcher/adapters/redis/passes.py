"""Which turn a bare session key belongs to, for agents that know no tokens yet.

Only used with ``AGENT_ENDPOINTS_LEGACY_AUTH=true``: session keys can be guessed, tokens cannot.
"""

import hashlib
import json
from datetime import timedelta
from typing import Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.adapters.turn_tokens import Pass, TokenRefused, dump_pass, fingerprint, load_pass
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.rights import Rights

_KEPT: Final = timedelta(hours=6)


class RedisPasses:
    """Remembers the newest turn of each session; the key itself is not stored."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def remember(self, rights: Rights, session_key: SessionKey) -> None:
        """Note whose turn it is."""
        text = json.dumps(dump_pass(rights, fingerprint(session_key)))
        with translated_errors():
            self._client.set(self._key(session_key), text, px=_KEPT)

    def find(self, session_key: SessionKey) -> Pass:
        """Find whose turn it is.

        Raises:
            TokenRefused: Nobody's.
            StoreUnavailable: Redis cannot be asked.
        """
        with translated_errors():
            # Good for hours after its last use: an agent may go on with sub-agents for long.
            found = self._client.getex(self._key(session_key), px=_KEPT)
        if not isinstance(found, bytes):
            raise TokenRefused("Unknown session key")
        try:
            return load_pass(json.loads(found))
        except (KeyError, TypeError, ValueError) as error:
            raise TokenRefused("Unknown session key") from error

    def _key(self, session_key: SessionKey) -> str:
        return f"{self._prefix}pass:{hashlib.sha256(session_key.encode()).hexdigest()}"
