"""The tree of errors."""

import importlib
import pkgutil
import re

import pytest

import dispatcher
from dispatcher.domain import errors
from dispatcher.domain.errors import DispatcherError


@pytest.fixture(autouse=True)
def every_module() -> None:
    """Import all modules: an error that nobody has imported yet hangs on no tree."""
    for module in pkgutil.walk_packages(dispatcher.__path__, "dispatcher."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def drawn_tree() -> dict[str, str]:
    """Read the drawing at the top of the module: each name with its parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│├└─ ]*)([A-Z]\w+)(  |$)", line)
        if not found:
            continue
        depth = len(found[1]) // 4
        path[depth:] = [found[2]]
        parents[found[2]] = path[depth - 1] if depth else ""
    return parents


def real_tree(root: type[DispatcherError]) -> dict[str, str]:
    parents: dict[str, str] = {}
    for kind in root.__subclasses__():
        parents[kind.__name__] = root.__name__
        parents |= real_tree(kind)
    return parents


def test_the_drawing_is_the_tree() -> None:
    drawing = drawn_tree()

    assert drawing.pop("DispatcherError") == ""
    assert drawing == real_tree(DispatcherError)


def test_invalid_settings_name_every_problem() -> None:
    error = errors.SettingsInvalid(("A is missing.", "B is wrong."))

    assert error.problems == ("A is missing.", "B is wrong.")
    assert str(error).splitlines()[1:] == ["  - A is missing.", "  - B is wrong."]
