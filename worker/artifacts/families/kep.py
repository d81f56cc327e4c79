"""Kubernetes enhancement proposals: `kep.yaml` in a folder named after the number."""

import re
from collections.abc import Iterable, Iterator

from worker.artifacts import status
from worker.artifacts.families import proposals, records
from worker.artifacts.markdown import Document
from worker.artifacts.model import Artifact, Dates, Entry, Link, Reference, Status
from worker.artifacts.source import Family, Folder, Source
from worker.artifacts.text import MAX_ITEMS
from worker.artifacts.yaml_text import Mapping, Value

_NAME = "kep.yaml"
_FOLDER = re.compile(r"(\d{1,5})-")
_IN_PATH = re.compile(r"(?:^|/)(?:kep-)?0{0,4}([1-9]\d{0,4})(?:-[^/]{0,200})?$", re.IGNORECASE)
_FILE = re.compile(r"/(?:readme\.md|kep\.yaml)?(?:#.{0,200})?$", re.IGNORECASE)
_NOTHING = frozenset({"", "n/a", "na", "none", "tbd", "null", "~"})
_STAGES = ("alpha", "beta", "stable")
_UNFILLED = "|"


def claims(folder: Folder, name: str) -> bool:
    is_template = folder.nearest.startswith("nnnn-") or folder.nearest.endswith("-template")
    return name == _NAME and not is_template


def identify(stem: str) -> str:
    return stem


def read(source: Source) -> Artifact | None:
    """The proposal, or None for YAML that is none."""
    values = records.mapping(source)
    if "kep_number" not in values.values and "owning_sig" not in values.values:
        return None
    in_file = _id(_FOLDER.match(source.folder.nearest))
    in_document = _number(values)
    state = _state(source, values)
    document = Document(source.text.lines, source.text.lines)
    document.links = list(_links(source, values))
    return records.record(
        source,
        document,
        id=in_file or in_document or source.folder.nearest or source.stem,
        kind="proposal",
        subtype="kep",
        title=values.text("title") or source.folder.nearest,
        identity=records.identity(source, in_file, in_document, values.lines.get("kep_number", 1)),
        status=state,
        owner=", ".join(_texts(values.values.get("authors"))) or None,
        dates=Dates(created=values.text("creation_date"), updated=values.text("last_updated")),
        supersedes=_references(source, values, "replaces"),
        superseded_by=_references(source, values, "superseded_by"),
        entries=tuple(_entries(source, values, state)),
    )


def _id(number: re.Match[str] | None) -> str | None:
    return proposals.spelled("kep", number[1]) if number and number[1].strip("0") else None


def _number(values: Mapping) -> str | None:
    return _id(re.fullmatch(r"(\d{1,5})", values.text("kep_number") or ""))


def _state(source: Source, values: Mapping) -> Status | None:
    """A template's list of all statuses is none of them."""
    raw, line = values.text("status"), values.lines.get("status", 1)
    if raw and _UNFILLED in raw:
        source.text.flag("unknown_status", f"no status was chosen: {raw[:60]!r}", line)
        return Status(raw=raw, normalized=None, line=line)
    return records.state(source, raw, line, status.KEP)


def _references(source: Source, values: Mapping, key: str) -> tuple[Reference, ...]:
    found = _written(source, values, key)
    return records.unique(
        proposals.reference(target, line, source.text.lines[line - 1])
        for text, line in found
        if (target := _target(text))
    )


def _target(written: str) -> str | None:
    """The id that a path ends in, else the path itself; None for what lies outside of it all."""
    path = _FILE.sub("", written.strip())
    if "://" in path and "/keps/" not in path:
        return None
    is_file = path.lower().endswith(".md")
    number = None if is_file else _id(_IN_PATH.search(path))
    is_ours = path.startswith(("/", "keps/")) or (is_file and "/" not in path)
    return number or (path.lstrip("/") if is_ours else None)


def _links(source: Source, values: Mapping) -> Iterator[Link]:
    for key in ("see_also", "replaces", "superseded_by"):
        for text, line in _written(source, values, key):
            if "/" in text:
                path, hash_mark, anchor = text.partition("#")
                yield Link(target=path, anchor=anchor if hash_mark else None, line=line)


def _entries(source: Source, values: Mapping, state: Status | None) -> Iterator[Entry]:
    """The current stage, and the release that each stage was or is planned for."""
    stage = values.text("stage")
    if stage:
        yield _entry("stage", stage, stage.lower(), values.lines["stage"])
    planned = values.values.get("milestone")
    reached = state is not None and state.normalized == "implemented"
    for name, release in planned.items() if isinstance(planned, dict) else ():
        if name in _STAGES and isinstance(release, str) and release:
            line = records.line_of(source, f"{name}:", values.lines["milestone"])
            yield _entry(name, release, _progress(name, stage, reached=reached), line)


def _entry(key: str, raw: str, normalized: str, line: int) -> Entry:
    state = Status(raw=raw, normalized=normalized, line=line)
    return Entry(key=key, kind="phase", target=None, status=state, line=line)


def _progress(stage: str, current: str | None, *, reached: bool) -> str:
    """Stages before the current one are done; the current one once the whole proposal is."""
    if current not in _STAGES:
        return "backlog"
    ahead = _STAGES.index(stage) - _STAGES.index(current)
    if ahead == 0:
        return "done" if reached else "in-progress"
    return "backlog" if ahead > 0 else "done"


def _written(source: Source, values: Mapping, key: str) -> Iterator[tuple[str, int]]:
    """The texts of a list, or the one text, each with its line; words for nothing are left out."""
    line = values.lines.get(key, 1)
    for text in _texts(values.values.get(key))[:MAX_ITEMS]:
        line = records.line_of(source, text, line)
        yield text, line


def _texts(value: Value | None) -> list[str]:
    found: Iterable[Value] = value if isinstance(value, list) else [value] if value else []
    return [text for text in found if isinstance(text, str) and text.lower() not in _NOTHING]


FAMILY = Family("proposal", (".yaml",), claims, read, identify)
