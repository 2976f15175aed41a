"""Runs the Lua scripts of an account: one file a step, the shared prelude in front of each."""

import hashlib
from collections.abc import Callable, Iterable
from importlib import resources
from typing import Any, Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.domain.ids import AccountId

_PRELUDE: Final = ("keys", "gates", "counts", "line", "grants")
"""What stands in front of each script; each part uses those before it."""


class Steps:
    """The scripts, ready to run on the keys of one account.

    Attributes:
        prefix: What all keys of the account begin with.
    """

    def __init__(self, client: redis.Redis, account: AccountId) -> None:
        self.prefix = f"mission-control:{{{account}}}:"
        self._client = client
        self._texts = dict(_texts())
        # The name under which Redis knows a script that it has run once.
        self._names = {
            name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
            for name, text in self._texts.items()
        }

    def run(self, step: str, *arguments: Any) -> Any:  # noqa: ANN401 - each step has its own form
        """Run one step.

        Raises:
            StoreUnavailable: Redis could not be reached, or refused.
        """
        with translated_errors():
            run: Callable[..., Any] = self._client.execute_command
            try:
                return run("EVALSHA", self._names[step], 1, self.prefix, *arguments)
            except redis.exceptions.NoScriptError:
                return run("EVAL", self._texts[step], 1, self.prefix, *arguments)


def _texts() -> Iterable[tuple[str, str]]:
    folder = resources.files("dispatcher.adapters.redis.scripts")
    shared = "\n".join(
        (folder / "prelude" / f"{name}.lua").read_text(encoding="utf-8") for name in _PRELUDE
    )
    for file in folder.iterdir():
        if file.name.endswith(".lua"):
            yield file.name.removesuffix(".lua"), f"{shared}\n{file.read_text(encoding='utf-8')}"
