"""Links of one Markdown line: inline, reference definitions and `[Source: …]` notes."""

import re
from collections.abc import Iterator

from worker.artifacts.model import Link

_INLINE = re.compile(
    r"\]\(\s{0,4}(?:<([^<>]{1,2000})>|([^\s()<>]{1,2000}(?:\([^\s()]{0,200}\)[^\s()]{0,500})?))"
)
_DEFINITION = re.compile(r"\s{0,3}\[([^\[\]]{1,200})\]:\s{0,4}<?([^\s<>]{1,2000})")
_SOURCE = re.compile(r"\[Source:\s{0,4}([^\s\[\],;]{1,500})[^\[\]]{0,500}\](?!\()")


def find(line: str, number: int) -> Iterator[Link]:
    """The links of `line` in order of appearance within their sort; code spans hold none."""
    if "`" in line:
        line = _without_code(line)
    for match in _INLINE.finditer(line):
        yield _link(match[1] or match[2], number)
    definition = _DEFINITION.match(line)
    if definition and not definition[1].startswith("^"):
        yield _link(definition[2], number)
    for match in _SOURCE.finditer(line):
        yield _link(match[1], number, cited=True)


def _without_code(line: str) -> str:
    parts = line.split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = ["`".join(parts[-2:])]
    return "``".join(parts[::2])


def _link(destination: str, number: int, *, cited: bool = False) -> Link:
    target, hash_mark, anchor = destination.partition("#")
    return Link(target=target, anchor=anchor if hash_mark else None, line=number, cited=cited)
