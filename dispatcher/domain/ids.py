"""Ids and keys that must not be mixed up, and the keys that we derive from them."""

import hashlib
import re
from typing import Final, NewType

AccountId = NewType("AccountId", str)
AgentId = NewType("AgentId", str)
TaskId = NewType("TaskId", str)
MessageId = NewType("MessageId", str)
NotificationId = NewType("NotificationId", str)
SessionKey = NewType("SessionKey", str)
ConversationId = NewType("ConversationId", str)
DeliveryId = NewType("DeliveryId", str)

NOTHING: Final = "-"
"""Stands where a conversation has no task, or a delivery no message. No id contains it."""

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_ID_SHAPE: Final = re.compile(r"[0-9a-hjkmnp-tv-z]{31,37}")
_BODY_BYTES: Final = 16


def is_document_id(text: str) -> bool:
    """Say whether a text has the length and alphabet of a document id of the backend."""
    return _ID_SHAPE.fullmatch(text) is not None


def encode_document_id(table: int, body: bytes) -> str:
    """Write a table number and 16 bytes as a document id.

    Shape:
        ``base32(varint(table) + body + checksum)``, the checksum being Fletcher-16 with
        modulus 256 over what stands before it, sum first.
    """
    payload = _varint(table) + body
    return _base32(payload + _fletcher16(payload))


def decode_document_id(text: str) -> tuple[int, bytes] | None:
    """Read the table number and the 16 bytes of a document id; None when it is not one."""
    if not is_document_id(text):
        return None
    raw = _unbase32(text)
    payload, checksum = raw[:-2], raw[-2:]
    if _fletcher16(payload) != checksum:
        return None
    table, used = _read_varint(payload)
    body = payload[used:]
    if len(body) != _BODY_BYTES or encode_document_id(table, body) != text:
        return None
    return table, body


def derived_key(row: NotificationId, message: str, purpose: str) -> NotificationId | None:
    """Derive a key for a post that is not the first reply to a row.

    The backend de-duplicates posts by a notification id and checks only its shape, so an id of
    the same table with bytes of our own is a key that nobody else uses.

    Args:
        row: The row that the post belongs to; its table number is kept.
        message: The message that is answered, or ``NOTHING``.
        purpose: What the post is, for example ``"reply"``.

    Returns:
        The key, always the same for the same arguments; None when ``row`` cannot be decoded.
    """
    decoded = decode_document_id(row)
    if decoded is None:
        return None
    digest = hashlib.sha256("\n".join((row, message, purpose)).encode()).digest()
    return NotificationId(encode_document_id(decoded[0], digest[:_BODY_BYTES]))


def conversation_id(agent: AgentId, task: TaskId | None) -> ConversationId:
    """Name the conversation of an agent about a task, or about none."""
    return ConversationId(f"{agent}:{task or NOTHING}")


def delivery_id(notification: NotificationId, message: MessageId | None) -> DeliveryId:
    """Name the delivery of one message of a notification."""
    return DeliveryId(f"{notification}:{message or NOTHING}")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes) -> tuple[int, int]:
    number = shift = 0
    for used, byte in enumerate(data, start=1):
        number |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return number, used
        shift += 7
    return number, len(data)


def _fletcher16(data: bytes) -> bytes:
    low = high = 0
    for byte in data:
        low = (low + byte) & 0xFF
        high = (high + low) & 0xFF
    return bytes((low, high))


def _base32(data: bytes) -> str:
    bits = int.from_bytes(data, "big")
    length = (len(data) * 8 + 4) // 5
    bits <<= length * 5 - len(data) * 8
    return "".join(_ALPHABET[bits >> 5 * place & 31] for place in range(length - 1, -1, -1))


def _unbase32(text: str) -> bytes:
    bits = 0
    for character in text:
        bits = bits << 5 | _VALUES[character]
    length = len(text) * 5 // 8
    return (bits >> len(text) * 5 - length * 8).to_bytes(length, "big")
