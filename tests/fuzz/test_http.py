"""Whatever bytes a peer sends are an answer or a broken exchange; no header is believed blindly."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.adapters.gateway import _wish
from dispatcher.adapters.http_connection import Answer, BodyTooLarge
from tests.fuzz.hostile import mangled, many
from tests.fuzz.turn import hear

DATE = [
    b"Mon, ", b"05", b" ", b"Jan", b" ", b"2026", b" ", b"10", b":", b"00", b":", b"00", b" ",
    b"+0000",
]  # fmt: skip
GOOD_DATE = b"".join(DATE)
ODD = [
    b"", b" ", b",", b":", b"-", b".", b"+", b"0", b"1", b"-1", b"99", b"9" * 20, b"9" * 5_000,
    b"+2359", b"-" + b"9" * 20, b"GMT", b"EST", b"Z", b"\xb2", b"\xd9\xa3", b"\xff", b"\0", b"NaN",
    b"9:9:9",
]  # fmt: skip
dates = (
    st.tuples(*[st.sampled_from([part] * 150 + ODD) for part in DATE]).map(b"".join)
    | st.lists(st.sampled_from(ODD), max_size=6).map(b" ".join)
    | st.binary(max_size=20)
)


RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n"
    b"Date: " + GOOD_DATE + b'\r\n\r\n{"output":1}',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
    b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.0 502 Bad Gateway\r\nServer: nginx\r\n\r\n<html>until the end",
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05",
    b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
]  # fmt: skip
http_headers = st.sampled_from([
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: 3, 3\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Encoding: gzip\r\n", b"Upgrade: h2c\r\n",
    b"Connection: upgrade\r\n", b"Connection: close\r\n", b"X: a\r\n folded\r\n",
    b"Retry-After: \xd9\xa3\r\n", b"Retry-After: 9\r\n", b"X: \xff\xfe\r\n", b"X:\r\n",
])  # fmt: skip
http_parts = http_headers | st.binary(max_size=6) | st.sampled_from([
    b"", b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\xff", b"HTTP/1.1 ", b"HTTP/2 ",
    b"HTTP/1.1 200 OK\r\n", b"000", b"0", b"-1", b"ffffffffffffffff", b"ffffffffffffffffff",
    b"0\r\n\r\n", b"x" * 300,
])  # fmt: skip
http_heads = st.builds(
    lambda status, headers: b"".join([b"HTTP/1.1 ", status, b" OK\r\n", *headers, b"\r\n"]),
    st.sampled_from(
        [b"200", b"200", b"500", b"429", b"204", b"304", b"100", b"101", b"199", b"999"]
    ),
    st.lists(http_headers, max_size=3),
)
http_bodies = st.sampled_from(
    [b"", b"hello", b"{}", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"x" * 300]
)
streams = (
    st.lists(st.tuples(http_heads, http_bodies).map(b"".join), min_size=1, max_size=3).map(b"".join)
    | st.sampled_from(RESPONSES).flatmap(lambda good: mangled(good, http_parts))
    | st.sampled_from(RESPONSES)
    | st.binary(max_size=60)
)


def pieces_of(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return (data[begin:end] for begin, end in itertools.pairwise(places))


@settings(max_examples=500, deadline=None)
@given(
    data=streams,
    cuts=st.lists(st.integers(0, 500), max_size=6),
    limit=st.sampled_from([1, 8, 1_000]),
)
def test_any_bytes_are_an_answer_or_a_broken_exchange(
    data: bytes, cuts: list[int], limit: int
) -> None:
    answer = Answer(body_limit=limit)
    with suppress(httpx.TransportError, BodyTooLarge):
        for piece in pieces_of(data, cuts):
            answer.feed(piece)
            assert len(answer.body) <= limit
        if not answer.is_over:
            answer.feed(b"")
        assert answer.is_over
        hear(answer.status, bytes(answer.body), _wish(httpx.Headers(answer.headers)))
        answer.feed(b"")


@pytest.mark.parametrize("good", RESPONSES)
def test_each_byte_can_come_alone(good: bytes) -> None:
    answer = Answer(body_limit=100)

    with suppress(httpx.TransportError):
        for at in range(len(good)):
            answer.feed(good[at : at + 1])
        answer.feed(b"")


def wished(wish: bytes, date: bytes | None) -> None:
    headers = [(b"Retry-After", wish)] + ([] if date is None else [(b"Date", date)])

    found = _wish(httpx.Headers(headers))

    assert found is None or timedelta(0) <= found <= timedelta(minutes=10)


@many
@given(wish=dates, date=st.none() | dates)
def test_any_wish_to_be_left_alone_is_bounded_or_none(wish: bytes, date: bytes | None) -> None:
    wished(wish, date)


def test_each_part_of_a_date_may_be_odd() -> None:
    for at, odd in itertools.product(range(len(DATE)), ODD):
        date = b"".join([*DATE[:at], odd, *DATE[at + 1 :]])
        wished(date, GOOD_DATE)
        wished(GOOD_DATE, date)
