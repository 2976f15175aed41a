"""What may come from outside: values, texts and bytes that no sane peer would send."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from tests.samples import ENGINEER, MESSAGE

few = settings(max_examples=40, deadline=None)
some = settings(max_examples=100, deadline=None)
many = settings(max_examples=200, deadline=None)

MONSTERS = {
    "<never closed>": "[" * 100_000,
    "<deep list>": "[" * 400 + "]" * 400,
    "<deep object>": '{"a":' * 400 + "1" + "}" * 400,
    "<longest number>": "9" * 5_000,
    "<beyond all numbers>": "-1e999",
}
"""JSON that Python cannot write, by what stands for it until it is written."""

HOSTILE = [
    *MONSTERS.values(), "null", "true", "false", "-1", "0", "0.5", "1e308", "1e-320", "NaN",
    "Infinity", "-Infinity", "1" + "0" * 400, "-" + "9" * 4_000, "9007199254740993",
    "253402300799999.9", '""', '" "', '"1"', r'"\ud83d"', r'"\u0000"', f'"{"x" * 9_000}"', "[]",
    "{}", "[null]", "[[]]", '[{"a": []}]', '{"": null}', r'{"\ud83d": "\udc4b"}',
]  # fmt: skip
numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([-1, 0, 1, 2**53, 2**64, 10**400, -(10**4_000), 1e308, 253_402_300_799_999])
)
texts = st.text(st.characters(), max_size=12) | st.sampled_from([
    "", " ", "\0", "\x1b[2J", "\ud83d", "\udc4b\ud83d", "a\udc00b", "\u2028", "\u202e", "👋", "٣",
    "1", "-1", "1e999", "@all", "@engineer", "=====", "```", "user", "agent", "review", "done",
    "thread_update", "mention", "urgent", "system:orchestrator-chat", "completed", "failed", "NO_",
    "*HEARTBEAT_OK*", ENGINEER, MESSAGE, "x" * 9_000,
])  # fmt: skip
scalars = st.none() | st.booleans() | numbers | texts | st.sampled_from(sorted(MONSTERS))
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def as_json(document: object) -> str:
    text = json.dumps(document)
    for mark, monster in MONSTERS.items():
        text = text.replace(json.dumps(mark), monster)
    return text


def spots_of(document: object) -> Iterator[tuple[Any, Any]]:
    """Find every node below the root, as what holds it and where."""
    if isinstance(document, dict | list):
        keys = list(document) if isinstance(document, dict) else range(len(document))
        for key in keys:
            yield document, key
            yield from spots_of(document[key])


def put_beside(holder: Any, key: Any, node: object) -> None:
    if isinstance(holder, list):
        holder.insert(key, node)
    else:
        holder[key] = node


def like(node: object) -> st.SearchStrategy[Any]:
    """Draw what is of the same kind, so that it is not refused at once."""
    if isinstance(node, str):
        return texts
    return numbers if isinstance(node, int | float) else json_values


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """Change a good document in a few places."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        spots = list(spots_of(document))
        if not spots:
            break
        holder, key = draw(st.sampled_from(spots))
        match draw(st.sampled_from("llllllrrmdct")):
            case "l":
                holder[key] = draw(like(holder[key]))
            case "r":
                holder[key] = draw(json_values)
            case "m":
                other, place = draw(st.sampled_from(spots))
                holder[key] = copy.deepcopy(other[place])
            case "d":
                del holder[key]
            case "c":
                place = key if isinstance(holder, list) else draw(st.sampled_from(sorted(holder)))
                put_beside(holder, place, copy.deepcopy(holder[key]))
            case _:
                document = holder[key]
    return document


@st.composite
def mangled(draw: st.DrawFn, good: bytes, parts: st.SearchStrategy[bytes]) -> bytes:
    """Cut pieces out of good bytes, and put others in."""
    data = good
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(data))), draw(st.sampled_from([0, 0, 1, 2, 9, 50]))
        data = data[:at] + draw(parts) + data[at + length :]
    return data


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


json_bytes = json_values.map(as_json).map(as_bytes)
json_parts = st.binary(max_size=4) | st.sampled_from([
    b"", b"[", b"}", b'"', b",", b"null", b"NaN", b"-Infinity", b"1e999", b"\\ud83d", b"\\u0000",
    b"\xed\xa0\xbd", b"\xef\xbb\xbf", b"\xff\xfe", b"9" * 5_000,
])  # fmt: skip
any_bytes = st.binary(max_size=40) | texts.map(as_bytes) | json_bytes


def deep_lists() -> list[str]:
    """Make lists of about the greatest depth that can be read from here."""
    low, high = 1, 20_000
    while low < high:
        middle = (low + high + 1) // 2
        try:
            json.loads("[" * middle + "]" * middle)
        except RecursionError:
            high = middle - 1
        else:
            low = middle
    return ["[" * depth + "]" * depth for depth in range(low - 12, low + 1)]


def spoilt(good: Any) -> Iterator[str]:
    """Put each hostile value into each place of a good document, one at a time; then nothing."""
    values = [*HOSTILE, *deep_lists()]
    yield from values
    for number in range(len(list(spots_of(good)))):
        document = copy.deepcopy(good)
        holder, key = list(spots_of(document))[number]
        holder[key] = "<here>"
        text = json.dumps(document)
        yield from (text.replace('"<here>"', value) for value in values)
        del holder[key]
        yield json.dumps(document)
