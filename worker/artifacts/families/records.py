"""The part of a record that is read in the same way from documents of every family."""

from collections.abc import Iterable
from typing import Any

from worker.artifacts import header, outline, status, suppressions, yaml_text
from worker.artifacts.markdown import Document
from worker.artifacts.model import Artifact, Identity, Reference, Status
from worker.artifacts.source import Source
from worker.artifacts.yaml_text import Mapping

_MOST = 200
_NEARBY = 100


def record(source: Source, document: Document, **values: Any) -> Artifact:
    """The artifact of `values`, with the links, sections and remarks of the document itself."""
    return Artifact(
        path=source.path,
        blob_sha=source.blob_sha,
        links=tuple(document.links),
        sections=outline.sections(document),
        suppressions=source.suppressions,
        warnings=source.warnings,
        **values,
    )


def state(source: Source, raw: str | None, line: int, words: status.Vocabulary) -> Status | None:
    """The status written as `raw`, None when nothing is; one outside `words` is flagged."""
    if not raw:
        return None
    found = status.read(raw, line, words)
    if found.normalized is None:
        message = f"not a status we know: {found.raw[:60]!r}"
        source.text.flag("unknown_status", message, line)
    return found


def unique(found: Iterable[Reference]) -> tuple[Reference, ...]:
    """The first reference to each target, by line, at most 200."""
    first = {reference.target: reference for reference in reversed(list(found))}
    return tuple(sorted(first.values(), key=lambda r: (r.line, r.target)))[:_MOST]


def head_status(
    source: Source, document: Document, words: status.Vocabulary = status.STORY
) -> Status | None:
    """The status stated above the first sub-heading: those below are of something else."""
    below = (heading.line for heading in document.headings if heading.level > 1)
    return header.read_status(document, source.text, words, next(below, header.FAR))


def identity(
    source: Source, in_file: str | None, in_document: str | None, line: int = 1
) -> Identity:
    """Both ids; a contradiction between them is flagged."""
    differ = bool(in_file and in_document) and in_file != in_document
    return source.identity(in_file, in_document, line, differ=differ)


def mapping(source: Source) -> Mapping:
    """The keys of a YAML document; one that is not quite YAML is read line by line and flagged."""
    source.text.suppressions.extend(suppressions.in_yaml(source.text.lines))
    text = "\n".join(source.text.lines)
    try:
        return yaml_text.load_mapping(text)
    except yaml_text.YamlError as error:
        source.text.flag("invalid_yaml", f"read line by line: {error}", error.line)
        return yaml_text.scan_mapping(text)


def line_of(source: Source, text: str, start: int) -> int:
    """The first of the lines from `start` on that holds `text`; `start` where none near does."""
    nearby = source.text.lines[start - 1 : start - 1 + _NEARBY]
    return next((number for number, line in enumerate(nearby, start) if text in line), start)
