"""YAML as plain text values: no types, no aliases, bounded in size and depth.

Every scalar stays the string that was written, because `1.10` is a story and not a number, and
because a date that does not exist must not fail a document.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias, Union

import yaml

MAX_CHARACTERS = 256_000
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")
MAX_DEPTH = 20
"""libyaml takes quadratic time over nested brackets: reading stops here."""

Value: TypeAlias = Union[str, list["Value"], dict[str, "Value"]]  # noqa: UP007 - recursive


class YamlError(ValueError):
    """The text is not YAML of the kind that we read; `line` counts from 1 within the text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Mapping:
    """The values of a document's mapping, and the line of each key on its first level."""

    values: dict[str, Value]
    lines: dict[str, int]

    def text(self, *names: str) -> str | None:
        """The first of `names` that holds a non-empty plain text."""
        found = (self.values.get(name) for name in names)
        return next((value for value in found if isinstance(value, str) and value), None)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar: the keys that lead to it as written (positions in lists), and its key's line."""

    path: tuple[str, ...]
    value: str
    line: int


def load_mapping(text: str) -> Mapping:
    """Read the first document of `text`; raises YamlError. Keys become like `top_issues`."""
    with _reading(text) as events:
        return _Reader(events).document()


def leaves(text: str) -> list[Leaf]:
    """Every scalar of the first document of `text`, in its order; raises YamlError."""
    with _reading(text) as events:
        return list(_leaves(events))


@contextmanager
def _reading(text: str) -> Iterator[Iterator[yaml.Event]]:
    if len(text) > MAX_CHARACTERS:
        raise YamlError(f"longer than {MAX_CHARACTERS} characters", 1)
    if not text.isascii():
        text = _OTHER_BREAKS.sub(" ", text)
    try:
        yield yaml.parse(text, Loader=yaml.CBaseLoader)
    except yaml.MarkedYAMLError as error:
        line = min(_line(error.problem_mark), text.count("\n") + 1)
        raise YamlError(error.problem or "not valid YAML", line) from error
    except yaml.YAMLError as error:
        raise YamlError("characters that YAML does not allow", 1) from error


def _leaves(events: Iterator[yaml.Event]) -> Iterator[Leaf]:
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            yield from _leaves_of(event, events, (), _line(event.start_mark))
            return


def _leaves_of(
    event: yaml.Event, events: Iterator[yaml.Event], path: tuple[str, ...], line: int
) -> Iterator[Leaf]:
    if isinstance(event, yaml.AliasEvent) or len(path) > MAX_DEPTH:
        raise YamlError(f"aliases, or nested deeper than {MAX_DEPTH} levels", line)
    if isinstance(event, yaml.ScalarEvent):
        yield Leaf(path, str(event.value), line)
    elif isinstance(event, yaml.MappingStartEvent):
        for key in events:
            if isinstance(key, yaml.MappingEndEvent):
                return
            if not isinstance(key, yaml.ScalarEvent):
                raise YamlError("a key that is no plain text", _line(key.start_mark))
            below = (*path, str(key.value))
            yield from _leaves_of(next(events), events, below, _line(key.start_mark))
    else:
        for position, item in enumerate(events):
            if isinstance(item, yaml.SequenceEndEvent):
                return
            below = (*path, str(position))
            yield from _leaves_of(item, events, below, _line(item.start_mark))


class _Mark(Protocol):
    line: int


def _line(mark: _Mark | None) -> int:
    return mark.line + 1 if mark else 1


def _name(key: str) -> str:
    return key.lower().replace("-", "_").replace(" ", "_")


class _Reader:
    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._lines: dict[str, int] = {}

    def document(self) -> Mapping:
        for event in self._events:
            if isinstance(event, yaml.MappingStartEvent):
                values = self._mapping(1)
                return Mapping(values, self._lines)
            if isinstance(event, yaml.NodeEvent):
                break
        raise YamlError("not a mapping of keys to values", 1)

    def _value(self, event: yaml.Event, depth: int) -> Value:
        line = _line(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        if isinstance(event, yaml.AliasEvent):
            raise YamlError("aliases are not read", line)
        if depth >= MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", line)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth + 1)
        return self._sequence(depth + 1)

    def _sequence(self, depth: int) -> list[Value]:
        items: list[Value] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, depth))
        return items

    def _mapping(self, depth: int) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._value(event, depth)
            name = _name(key) if isinstance(key, str) else ""
            if depth == 1:
                self._lines.setdefault(name, _line(event.start_mark))
            values[name] = self._value(next(self._events), depth)
        return values


def scan_mapping(text: str) -> Mapping:
    """The `key: value` lines on the first level of text that is not quite YAML; never fails."""
    values: dict[str, Value] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        key, colon, value = line.partition(":")
        name = _name(key)
        if colon and name.replace("_", "").isalnum() and name not in values:
            values[name] = value.strip().strip("\"'")
            lines[name] = number
    return Mapping(values, lines)
