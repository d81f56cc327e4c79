"""JSON that means one thing only, and that Postgres can keep."""

import json
import re
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from typing import Any, Never, cast

import orjson

from worker.errors import InvalidInput

MAX_DEPTH = 64
# A 24 MB push of 40 000 commits has 840 000; 25 MB of "[]," would take 4 s and 700 MB.
MAX_SEPARATORS = 1_500_000
# Larger ones are parsed in a thread, where the standard decoder gives others their turn.
_QUICK = 256 * 1024
_STEP = 128 * 1024
# More in a step take longer to escape than it gains.
_MOST_ESCAPES = 5_000
_WIDE = re.compile(r"[^\x00-\xff]+")
_WRITTEN_DEPTH = 254
_AROUND = _WRITTEN_DEPTH - MAX_DEPTH
_LONGEST_INTEGER = len(str(-(2**63)))
_LONGEST_FLOAT = 100
_CONTAINERS = (dict, list)
_SUSPICIOUS_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# So many lists in each other, around something that orjson has to ask for.
_LISTS = reduce(lambda inner, _: [inner], range(_AROUND), cast(Any, object()))


def parse_object(body: bytes) -> dict[str, Any]:
    """The one object in `body`, in time linear in its length.

    Raises InvalidInput, naming the fault, for anything but UTF-8; for syntax errors and other
    values at the top; for duplicate keys, NaN, Infinity, floats out of range, integers past
    64 bits (signed), NUL characters, lone surrogates, nesting deeper than MAX_DEPTH, and more
    than MAX_SEPARATORS commas and opening brackets.
    """
    document = _decoded_quickly(body)
    if document is None:
        document = _decoded(body)
    if not isinstance(document, dict):
        raise InvalidInput(f"The JSON must be an object, not {_kind(document)}.")
    return document


def quoted(text: str) -> str:
    """The beginning of `text`, in quotes and escaped: 80 characters at most."""
    escaped = ascii(text[:80])
    return escaped if len(escaped) <= 80 else f"{escaped[:77]}..."


def _decoded_quickly(body: bytes) -> Any:
    """What an ordinary document says; None when that takes a closer look.

    orjson keeps the last of several equal keys and rounds long integers. But what it writes back
    byte for byte cannot have had either, and no escapes but those it writes: NUL is among them.
    Nor can it be nested too deeply: orjson writes no more than _WRITTEN_DEPTH levels, and most of
    these are spent on lists around the document.
    """
    if len(body) > _QUICK or b"\\u0000" in body:
        return None
    try:
        document = orjson.loads(body)
        written = orjson.dumps(_LISTS, lambda _: document, orjson.OPT_STRICT_INTEGER)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return document if written[_AROUND:-_AROUND] == body else None


def _decoded(body: bytes) -> Any:
    brackets = _count(body, b"{") + _count(body, b"[")
    if len(body) > MAX_SEPARATORS:
        _check_size(brackets + _count(body, b","))
    try:
        document = _decoder.decode(_text(body))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The JSON is not UTF-8 at byte {error.start}.") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(_syntax_message(error)) from None
    except RecursionError:
        raise _too_deep() from None
    if isinstance(document, dict):
        _check_contents(document, body, brackets)
    return document


def _check_contents(document: dict[str, Any], body: bytes, brackets: int) -> None:
    if brackets > MAX_DEPTH:
        _check_depth(document)
    if any(_SUSPICIOUS_ESCAPE.search(body, n, n + _STEP + 5) for n in _steps(body)):
        _check_text(document)


def _text(body: bytes) -> str:
    if len(body) <= _STEP:
        return body.decode("utf-8")
    decoder = getincrementaldecoder("utf-8")()
    try:
        parts = [_narrow(decoder.decode(body[n : n + _STEP])) for n in _steps(body)]
        return "".join([*parts, decoder.decode(b"", final=True)])
    except UnicodeDecodeError:
        return body.decode("utf-8")  # raises it again, with its place in the whole


def _narrow(text: str) -> str:
    """The same with escapes for wide characters: one of them would make all take four bytes.

    Making room for so much at once would keep every other thread waiting.
    """
    return _WIDE.sub(lambda wide: json.dumps(wide[0])[1:-1], text, count=_MOST_ESCAPES)


def _count(body: bytes, byte: bytes) -> int:
    return sum(body.count(byte, n, n + _STEP) for n in _steps(body))


def _steps(body: bytes) -> range:
    # One search through it all would keep every other thread waiting.
    return range(0, len(body), _STEP)


def _syntax_message(error: json.JSONDecodeError) -> str:
    if not error.doc.strip():
        return "The JSON is empty."
    if error.pos >= len(error.doc.rstrip()):
        return f"The JSON ends too early, after {len(error.doc)} characters."
    return f"The JSON is malformed at character {error.pos}: {error.msg}."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise InvalidInput(f"The JSON has the key {quoted(repeated)} twice.")
    return members


def _integer(digits: str) -> int:
    # The length is looked at first: converting a long number takes quadratic time.
    if len(digits) <= _LONGEST_INTEGER and -(2**63) <= (number := int(digits)) < 2**63:
        return number
    raise InvalidInput(f"The JSON has an integer past 64 bits: {quoted(digits)}.")


def _float(digits: str) -> float:
    if len(digits) <= _LONGEST_FLOAT and abs(number := float(digits)) != float("inf"):
        return number
    raise InvalidInput(f"The JSON has a number out of range: {quoted(digits)}.")


def _constant(name: str) -> Never:
    raise InvalidInput(f"The JSON has {name}, which is not a JSON number.")


def _check_size(separators: int) -> None:
    if separators > MAX_SEPARATORS:
        raise InvalidInput(f"The JSON has more than {MAX_SEPARATORS:,} commas and brackets.")


def _check_depth(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _values(node) if type(child) in _CONTAINERS]
        if not level:
            return
    raise _too_deep()


def _check_text(document: dict[str, Any]) -> None:
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if type(node) is str:
            _check_string(node)
        elif type(node) in _CONTAINERS:
            waiting += _values(node)
            waiting += node if type(node) is dict else ()


def _check_string(text: str) -> None:
    if _UNSTORABLE.search(text):
        # Without the text: it may be a secret.
        raise InvalidInput("The JSON has a text with a NUL or a lone surrogate.")


def _values(node: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return node.values() if type(node) is dict else node


def _too_deep() -> InvalidInput:
    return InvalidInput(f"The JSON is nested deeper than {MAX_DEPTH} levels.")


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)
