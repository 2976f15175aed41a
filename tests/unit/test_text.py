"""Text as the backend counts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.text import ELLIPSIS, cut_units, utf16_units, without_lone_surrogates

any_text = st.text(alphabet=st.characters(), max_size=60)
wide_text = st.text(alphabet="ab \n👋𝄞é", max_size=60)


@pytest.mark.parametrize(
    ("text", "units"), [("", 0), ("abc", 3), ("é", 1), ("👋", 2), ("a👋𝄞", 5), ("\ufffd", 1)]
)
def test_characters_outside_the_basic_plane_count_two(text: str, units: int) -> None:
    assert utf16_units(text) == units


@given(text=any_text)
def test_units_are_those_of_utf16(text: str) -> None:
    assert utf16_units(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


HIGH, LOW, GONE = "\ud83d", "\udc4b", "\ufffd"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("plain 👋", "plain 👋", id="plain"),
        pytest.param(HIGH, GONE, id="high"),
        pytest.param(LOW, GONE, id="low"),
        pytest.param(f"a{HIGH}b", f"a{GONE}b", id="inside"),
        pytest.param(LOW + HIGH, GONE + GONE, id="swapped"),
        pytest.param(HIGH + HIGH + LOW, f"{GONE}👋", id="high-and-pair"),
        pytest.param(HIGH + LOW, "👋", id="pair"),
    ],
)
def test_lone_surrogates_are_replaced_and_pairs_are_joined(text: str, clean: str) -> None:
    assert without_lone_surrogates(text) == clean


@given(text=any_text)
def test_clean_text_can_be_sent_and_stays_clean(text: str) -> None:
    clean = without_lone_surrogates(text)

    assert clean.encode().decode() == clean
    assert without_lone_surrogates(clean) == clean
    assert utf16_units(clean) == utf16_units(text)


@given(text=wide_text, limit=st.integers(1, 80))
def test_a_cut_text_is_a_prefix_and_a_mark_within_the_limit(text: str, limit: int) -> None:
    cut = cut_units(text, limit)

    assert utf16_units(cut) <= limit
    assert cut.encode().decode() == cut
    if utf16_units(text) <= limit:
        assert cut == text
    else:
        assert cut.endswith(ELLIPSIS)
        assert text.startswith(cut.removesuffix(ELLIPSIS))


@given(text=wide_text, limit=st.integers(12, 80))
def test_the_mark_counts_towards_the_limit(text: str, limit: int) -> None:
    cut = cut_units(text, limit, mark=" [cut 👋]")

    assert utf16_units(cut) <= limit
    assert cut == text or cut.endswith(" [cut 👋]")


@given(text=wide_text, limit=st.integers(3, 80))
def test_no_more_than_needed_is_cut(text: str, limit: int) -> None:
    """One unit may stay free in front of a wide character, and blanks before the mark go."""
    cut = cut_units(text, limit)

    if cut != text:
        kept = text[: len(cut) - 1]
        dropped = text[len(kept) :]
        rest = dropped[: len(dropped) - len(dropped.lstrip())]
        following = dropped.lstrip()[:1]
        assert utf16_units(kept + rest + following + ELLIPSIS) > limit


def test_a_wide_character_is_not_cut_in_half() -> None:
    assert cut_units("👋👋👋", 4) == "👋…"
    assert cut_units("👋👋👋", 5) == "👋👋…"
