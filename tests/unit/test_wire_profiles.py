"""Reading profiles: what is unreadable must not make the gateway forget an agent."""

from typing import Any

import pytest

from dispatcher.adapters.wire_profiles import read_profiles
from dispatcher.domain.errors import BackendGarbled

ROW: dict[str, Any] = {"_id": "a1", "name": "Engineer", "slug": "engineer"}


@pytest.mark.parametrize(
    "value", [None, {}, [ROW, 3], [ROW, {"slug": "x"}], [ROW | {"name": {"a": 1}}]]
)
def test_a_list_of_which_one_is_unreadable_is_not_believed(value: object) -> None:
    with pytest.raises(BackendGarbled):
        read_profiles(value)


@pytest.mark.parametrize("bad", [None, 3, [], {"slug": {"a": 1}}])
def test_a_skill_that_is_unreadable_is_left_out(bad: object) -> None:
    good = {"slug": "deploy", "contentMarkdown": "How to."}

    (profile,) = read_profiles([ROW | {"resolvedSkills": [bad, good]}])

    assert [skill.slug for skill in profile.skills] == ["deploy"]


@pytest.mark.parametrize("rows", [[], [ROW | {"resolvedSkills": None}]])
def test_what_is_missing_is_empty(rows: list[dict[str, Any]]) -> None:
    assert all(profile.skills == () for profile in read_profiles(rows))
