"""Gives agents the means to act in a turn, and recognises them when they do."""

from dispatcher.adapters.redis.passes import RedisPasses
from dispatcher.adapters.turn_tokens import PREFIX, Pass, TokenRefused, TurnTokens
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.prompt import Reach
from dispatcher.domain.rights import Rights


class TurnPasses:
    """Mints in the worker, reads in the runtime.

    Args:
        tokens: Signs and checks.
        base_url: Where agents reach the runtime.
        has_client_tools: Requests bring tools, so no token has to be in a prompt.
        legacy: Bare session keys are accepted as well; None when they are not.
    """

    def __init__(
        self,
        tokens: TurnTokens,
        *,
        base_url: str,
        has_client_tools: bool,
        legacy: RedisPasses | None,
    ) -> None:
        self._tokens = tokens
        self._base_url = base_url
        self._has_client_tools = has_client_tools
        self._legacy = legacy

    def reach(self, rights: Rights, session_key: SessionKey) -> Reach:
        """Say how an agent acts in a turn; may raise ``StoreUnavailable`` with bare keys."""
        if self._legacy is not None:
            self._legacy.remember(rights, session_key)
        if self._has_client_tools:
            return Reach(base_url=self._base_url)
        return Reach(base_url=self._base_url, token=self._tokens.mint(rights, session_key))

    def read(self, given: str) -> Pass:
        """Recognise an agent by what it sent in its header.

        Raises:
            TokenRefused: It proves nothing.
            StoreUnavailable: A bare key cannot be looked up now.
        """
        if given.startswith(PREFIX):
            return self._tokens.read(given)
        if self._legacy is None:
            raise TokenRefused("Unknown session key")
        return self._legacy.find(SessionKey(given))
