"""The text of an API key: `sy_`, 256 random bits, and a checksum that scanners and people need."""

import re
import secrets
import zlib
from hashlib import sha256

PREFIX = "sy_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# 62**43 > 2**256, and 62**6 > 2**32.
_RANDOM_DIGITS, _CHECK_DIGITS, _SHOWN = 43, 6, 8
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_DIGITS + _CHECK_DIGITS}}}")


def new() -> str:
    """A key that nobody has."""
    body = PREFIX + _in_base_62(secrets.randbits(256), _RANDOM_DIGITS)
    return body + checksum(body)


def is_whole(text: str) -> bool:
    """Whether this can be a key: a typo, or a part of one, cannot."""
    if _SHAPE.fullmatch(text) is None:
        return False
    return checksum(text[:-_CHECK_DIGITS]) == text[-_CHECK_DIGITS:]


def digest(key: str) -> bytes:
    """What is kept of it, 32 bytes. There is no salt to need: the key is random in full."""
    return sha256(key.encode("ascii")).digest()


def prefix(key: str) -> str:
    """How it begins, by which its holder can tell it from others; far too little to guess it."""
    return key[: len(PREFIX) + _SHOWN]


def checksum(body: str) -> str:
    """The digits that a key with this beginning ends with."""
    return _in_base_62(zlib.crc32(body.encode("ascii")), _CHECK_DIGITS)


def _in_base_62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text
