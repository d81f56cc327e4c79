"""What a document says it depends on, replaces, or is replaced by."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Literal

from worker.artifacts import header, ids
from worker.artifacts.markdown import Document, plain
from worker.artifacts.model import Reference
from worker.artifacts.text import Lines, every

Kind = Literal["story", "epic", "adr"]
_DEPENDENCY_KEYS = (
    "dependencies",
    "dependency",
    "depends on",
    "prerequisites",
    "prerequisite",
    "blocked by",
    "requires",
)
KEYS = frozenset(_DEPENDENCY_KEYS)
MAX_DEPENDENCIES = 200
_PREFIX = r"(?:(?!(?:ac|fr|nfr|adr|td|uc|and|to|or)-)[a-z]{2,4}-)?"
_KIND = re.compile(rf"\b(stor(?:y|ies)|epics?|adrs?)\b[\s:#-]{{0,3}}(?={_PREFIX}\d)", re.IGNORECASE)
_KINDS: Mapping[str, Kind] = {"s": "story", "e": "epic", "a": "adr"}
_ID = re.compile(_PREFIX + r"\d{1,4}[a-z]?(?:\.\d{1,4})*[a-z]?(?![\w])", re.IGNORECASE)
_LABEL = re.compile(r"#|(?:[-*+]\s+)?(?:\*\*[^*]{1,80}\*\*:?|[A-Z][\w ()/-]{1,60}:)\s*$")
_NOT_NEEDED = re.compile(
    r"\b(?:parallel with|(?:un)?blocks\b|enables|related|required by|depended on by|dependents?\b"
    r"|downstream|used by|needed by|dependency of|prerequisite for|follow-?ups?|next stor"
    r"|no longer)",
    re.IGNORECASE,
)
_HYPHENED = re.compile(r"\d{1,4}(?:-\d{1,4}){1,2}(?![\w.])")
_JOINT = re.compile(
    r"\s{0,2}(?:(-|\u2013|\u2014|to\b|through\b)|,\s{0,2}(?:and\b)?|and\b|&|\+|/)\s{0,2}"
    r"(?=\d)",
    re.IGNORECASE,
)
_BARE = re.compile(r"\s*\d{1,4}[.-]\d{1,4}[a-z]?(?:\s*,\s*\d{1,4}[.-]\d{1,4}[a-z]?)*\s*", re.I)
_LONGEST_RANGE = 50

_VERB = re.compile(
    r"\b(?:(super[sc]eded?[\s-]{1,2}by|replaced[\s-]{1,2}by)|super[sc]edes?|replaces?)\b",
    re.IGNORECASE,
)
_TARGET = re.compile(
    r"\]\(\s{0,2}([^\s()]{1,500})\)|\bADR[-\s#]{0,3}(\d{1,5})\b|(?<![\w.-])(\d{1,5})(?![\w-])",
    re.IGNORECASE,
)
_DESTINATION = re.compile(r"\]\([^()]{0,500}\)")
_LINK_LABEL = re.compile(r"\[[^\[\]]{0,300}\](?=\()")


def dependencies(document: Document, is_own: Lines = every) -> tuple[Reference, ...]:
    """Stories, epics and decisions named under, or behind, a word for dependency.

    `is_own` says of a line whether it speaks for the document.
    """
    own = (reference for reference in _all(document, is_own) if is_own(reference.line))
    read = list(islice(own, MAX_DEPENDENCIES))
    found = {(d.kind, d.target): d for d in reversed(read)}
    return tuple(sorted(found.values(), key=lambda d: (d.line, d.kind, d.target)))


def named(text: str, line: int, quote: str) -> Iterator[Reference]:
    """Ids that the words story, epic or ADR introduce, ranges written out."""
    text = _DESTINATION.sub("]", text)
    for word in _KIND.finditer(text):
        kind = _KINDS[word[1][0].lower()]
        for target in _list_of_ids(text, word.end(), kind):
            yield Reference(kind=kind, target=target, line=line, quote=quote)


def supersession(
    text: str, find: Callable[[str], list[str]] | None = None
) -> tuple[list[str], list[str]]:
    """The ids that `text` says it supersedes, and that supersede it; `find` reads decisions."""
    find = find or decisions
    supersedes: list[str] = []
    superseded_by: list[str] = []
    verbs = list(_VERB.finditer(text))
    ends = [verb.start() for verb in verbs[1:]] + [len(text)]
    for verb, end in zip(verbs, ends, strict=False):
        target = superseded_by if verb[1] else supersedes
        target.extend(find(text[verb.end() : end]))
    return supersedes, superseded_by


def decisions(text: str) -> list[str]:
    """The ids of the decisions that `text` names, by link, by "ADR-12" or by bare number."""
    found: list[str] = []
    for match in _TARGET.finditer(_LINK_LABEL.sub("]", text)):
        if match[1]:
            stem = match[1].partition("#")[0].rpartition("/")[2].removesuffix(".md")
            found.append(ids.decision_in_file(stem) or ids.slug(stem))
        else:
            found.append(ids.decision_number(match[2] or match[3]))
    return list(dict.fromkeys(found))


def _all(document: Document, is_own: Lines) -> Iterator[Reference]:
    for field in header.all_fields(document, *_DEPENDENCY_KEYS):
        value = f"Stories {field.value}" if _BARE.fullmatch(field.value) else field.value
        yield from named(plain(value), field.line, document.quote(field.line))
    heading = document.first_heading(*_DEPENDENCY_KEYS, is_own=is_own)
    needed = True
    for number, line in document.body(heading) if heading else ():
        other_way = _NOT_NEEDED.search(line) is not None
        if _LABEL.match(line.strip()):
            needed = not other_way
        if needed and not other_way:
            yield from named(plain(line), number, document.quote(number))


def _list_of_ids(text: str, start: int, kind: Kind) -> Iterator[str]:
    position, is_range, last = start, False, ""
    while match := _id_at(text, position, kind):
        current = _spelled(match[0], kind)
        yield from between(last, current) if is_range else ()
        yield current
        joint = _JOINT.match(text, match.end())
        if not joint:
            return
        position, is_range, last = joint.end(), bool(joint[1]), current


def _id_at(text: str, position: int, kind: Kind) -> re.Match[str] | None:
    """Stories may be written 1-2; between epics and decisions a hyphen is a range."""
    hyphened = _HYPHENED.match(text, position) if kind == "story" else None
    return hyphened or _ID.match(text, position)


def _spelled(written: str, kind: Kind) -> str:
    return ids.decision_number(written) if kind == "adr" else ids.normalize(written)


def between(first: str, last: str) -> Iterator[str]:
    """The ids that a range leaves out: "1.2" to "1.5" has 1.3 and 1.4 between."""
    stem, _, low = first.rpartition(".")
    same, _, high = last.rpartition(".")
    if stem == same and low.isdigit() and high.isdigit():
        for number in range(int(low) + 1, min(int(high), int(low) + _LONGEST_RANGE)):
            last_part = str(number).zfill(len(low))
            yield f"{stem}.{last_part}" if stem else last_part
