"""Runs the Lua scripts of an account: one file a step, the shared prelude in front of each."""

from collections.abc import Iterable
from importlib import resources
from typing import Any, Final

import redis

from dispatcher.adapters.redis.connection import translated_errors
from dispatcher.domain.ids import AccountId

_PRELUDE: Final = ("keys", "gates", "counts", "line")
"""What stands in front of each script; each part uses those before it."""


class Steps:
    """The scripts, ready to run on the keys of one account.

    Attributes:
        prefix: What all keys of the account begin with.
    """

    def __init__(self, client: redis.Redis, account: AccountId) -> None:
        self.prefix = f"mission-control:{{{account}}}:"
        self._scripts = {name: client.register_script(text) for name, text in _texts()}

    def run(self, step: str, *arguments: Any) -> Any:  # noqa: ANN401 - each step has its own form
        """Run one step.

        Raises:
            StoreUnavailable: Redis could not be reached, or refused.
        """
        with translated_errors():
            return self._scripts[step](keys=[self.prefix], args=arguments)


def _texts() -> Iterable[tuple[str, str]]:
    folder = resources.files("dispatcher.adapters.redis.scripts")
    shared = "\n".join(
        (folder / "prelude" / f"{name}.lua").read_text(encoding="utf-8") for name in _PRELUDE
    )
    for file in folder.iterdir():
        if file.name.endswith(".lua"):
            yield file.name.removesuffix(".lua"), f"{shared}\n{file.read_text(encoding='utf-8')}"
