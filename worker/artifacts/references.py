"""What a document says it depends on, replaces, or is replaced by."""

import re
from collections.abc import Iterator
from itertools import islice

from worker.artifacts import header, ids
from worker.artifacts.markdown import Document, plain
from worker.artifacts.model import Dependency

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
_KIND = re.compile(r"\b(stor(?:y|ies)|epics?|adrs?)\b[\s:#-]{0,3}(?=\d)", re.IGNORECASE)
_ID = re.compile(r"\d{1,4}(?:\.\d{1,4})*[a-z]?(?![\w])", re.IGNORECASE)
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
_LABEL = re.compile(r"\[[^\[\]]{0,300}\](?=\()")


def dependencies(document: Document) -> tuple[Dependency, ...]:
    """Stories, epics and decisions named under, or behind, a word for dependency."""
    read = list(islice(_all(document), MAX_DEPENDENCIES))
    found = {(d.kind, d.target): d for d in reversed(read)}
    return tuple(sorted(found.values(), key=lambda d: (d.line, d.kind, d.target)))


def named(text: str, line: int) -> Iterator[Dependency]:
    """Ids that the words story, epic or ADR introduce, ranges written out."""
    text = _DESTINATION.sub("]", text)
    for word in _KIND.finditer(text):
        kind = {"s": "story", "e": "epic", "a": "adr"}[word[1][0].lower()]
        for target in _list_of_ids(text, word.end(), kind):
            yield Dependency(kind=kind, target=target, line=line)


def supersession(text: str) -> tuple[list[str], list[str]]:
    """The ids of decisions that `text` says it supersedes, and that supersede it."""
    supersedes: list[str] = []
    superseded_by: list[str] = []
    verbs = list(_VERB.finditer(text))
    ends = [verb.start() for verb in verbs[1:]] + [len(text)]
    for verb, end in zip(verbs, ends, strict=False):
        target = superseded_by if verb[1] else supersedes
        target.extend(decisions(text[verb.end() : end]))
    return supersedes, superseded_by


def decisions(text: str) -> list[str]:
    """The ids of the decisions that `text` names, by link, by "ADR-12" or by bare number."""
    found: list[str] = []
    for match in _TARGET.finditer(_LABEL.sub("]", text)):
        if match[1]:
            stem = match[1].partition("#")[0].rpartition("/")[2].removesuffix(".md")
            found.append(ids.decision_in_file(stem) or ids.slug(stem))
        else:
            found.append(ids.decision_number(match[2] or match[3]))
    return list(dict.fromkeys(found))


def _all(document: Document) -> Iterator[Dependency]:
    for field in header.all_fields(document, *_DEPENDENCY_KEYS):
        value = f"Stories {field.value}" if _BARE.fullmatch(field.value) else field.value
        yield from named(plain(value), field.line)
    heading = document.first_heading(*_DEPENDENCY_KEYS)
    for number, line in document.body(heading) if heading else ():
        yield from named(plain(line), number)


def _list_of_ids(text: str, start: int, kind: str) -> Iterator[str]:
    position, is_range, last = start, False, ""
    while match := _id_at(text, position, kind):
        current = _spelled(match[0], kind)
        yield from _between(last, current) if is_range else ()
        yield current
        joint = _JOINT.match(text, match.end())
        if not joint:
            return
        position, is_range, last = joint.end(), bool(joint[1]), current


def _id_at(text: str, position: int, kind: str) -> re.Match[str] | None:
    """Stories may be written 1-2; between epics and decisions a hyphen is a range."""
    hyphened = _HYPHENED.match(text, position) if kind == "story" else None
    return hyphened or _ID.match(text, position)


def _spelled(written: str, kind: str) -> str:
    return ids.decision_number(written) if kind == "adr" else ids.normalize(written)


def _between(first: str, last: str) -> Iterator[str]:
    """The ids that a range leaves out: "1.2" to "1.5" has 1.3 and 1.4 between."""
    stem, _, low = first.rpartition(".")
    same, _, high = last.rpartition(".")
    if stem == same and low.isdigit() and high.isdigit():
        for number in range(int(low) + 1, min(int(high), int(low) + _LONGEST_RANGE)):
            between = str(number).zfill(len(low))
            yield f"{stem}.{between}" if stem else between
