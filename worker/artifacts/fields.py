"""`Key: value` in all its Markdown dresses, on one line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORDS = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_BULLET = re.compile(r"(?:>\s?)*(?:[-*+]\s+)?")
_BOLD = re.compile(
    r"(\*{1,2}|__)([^\W\d_][^*_:|`]{0,40}?)\s?(?::\s?\1(?!\*)|\1\s?:(?!:))", re.UNICODE
)
_PLAIN = re.compile(r"([^\W\d_][\w /-]{0,40}?)\s?:(?=\s|$)")
_SEPARATORS = " \t|·•,;"


@dataclass(frozen=True, slots=True)
class Field:
    """`key` is lowered words; `value` is as written; `line` counts from 1."""

    key: str
    value: str
    line: int


def key_of(name: str) -> str:
    """The letters of `name`, lowered, as words: "1. Tasks / Subtasks" is "tasks subtasks"."""
    return " ".join(_WORDS.findall(name.casefold()))


def find(line: str, number: int) -> Iterator[Field]:
    """The fields of a line that starts with one: bold, plain, or a two-cell table row."""
    body = line.strip()
    if body.startswith("|"):
        yield from _row(body, number)
        return
    body = body[_prefix_length(body) :]
    if body.startswith(("*", "_")):
        yield from _bold(body, number)
    else:
        yield from _plain(body, number)


def is_bold_row(line: str) -> bool:
    """Whether the first cell of a table row is emphasised, as keys are and column names are not."""
    return line.lstrip(" |").startswith(("**", "__"))


def _prefix_length(body: str) -> int:
    prefix = _BULLET.match(body)
    return prefix.end() if prefix else 0


def _bold(body: str, number: int) -> Iterator[Field]:
    keys = list(_BOLD.finditer(body))
    if not keys or keys[0].start() != 0:
        yield from _plain(body.strip("*_ "), number)
        return
    ends = [match.start() for match in keys[1:]] + [len(body)]
    for match, end in zip(keys, ends, strict=True):
        yield Field(key_of(match[2]), body[match.end() : end].strip(_SEPARATORS), number)


def _plain(body: str, number: int) -> Iterator[Field]:
    match = _PLAIN.match(body)
    if not match:
        return
    first, *others = body[match.end() :].split(" | ")
    yield Field(key_of(match[1]), first.strip(), number)
    for other in others:
        yield from _plain(other.strip(), number)


def _row(body: str, number: int) -> Iterator[Field]:
    cells = [cell.strip() for cell in body.strip("|").split("|", 3)]
    if len(cells) == 2 and 0 < len(cells[0]) <= 40:
        yield Field(key_of(cells[0]), cells[1], number)
