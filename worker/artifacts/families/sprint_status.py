"""Sprint status files: every epic and story of a project with where it stands."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from worker.artifacts import suppressions, tracking, yaml_text
from worker.artifacts.model import Artifact, Dates, Entry
from worker.artifacts.source import Family, Folder, Source
from worker.artifacts.text import MAX_ITEMS
from worker.artifacts.yaml_text import Leaf

_NAMES = ("sprint-status", "sprint_status")
_MAPS = ("development_status", "sprint_status", "story_status", "stories", "epics", "action_items")
_NAMED_BY = ("key", "id", "story", "story_id", "epic", "epic_id", "slug", "name")
_LINE = re.compile(
    r"\s{1,20}(?:-\s)?([A-Za-z0-9][\w.-]{0,150}):\s{1,4}[\"']?([A-Za-z][^#\"']{0,100})"
)
_TRACKS = re.compile(rf"(?:{'|'.join(_MAPS)})\s*:", re.IGNORECASE)
_MAP_LINE = re.compile(r"([A-Za-z_]+):\s*(?:#.*)?$")


def claims(folder: Folder, name: str) -> bool:
    return name.startswith(_NAMES)


def identify(stem: str) -> str:
    return "sprint-status"


def read(source: Source) -> Artifact | None:
    """The file with an entry a line, or None for YAML that tracks nothing."""
    if not any(_TRACKS.match(line) for line in source.text.lines):
        return None
    found = _leaves(source)
    head = {leaf.path[0].lower(): leaf.value for leaf in found if len(leaf.path) == 1}
    source.text.suppressions.extend(suppressions.in_yaml(source.text.lines))
    entries = tuple(islice(_entries(found), MAX_ITEMS))
    _flag_repeated(source, entries)
    return Artifact(
        id=identify(source.stem),
        kind=FAMILY.kind,
        subtype="bmad6",
        path=source.path,
        blob_sha=source.blob_sha,
        title=head.get("project") or source.stem,
        dates=Dates(created=head.get("generated"), updated=head.get("last_updated")),
        entries=entries,
        suppressions=source.suppressions,
        warnings=source.warnings,
    )


def _leaves(source: Source) -> list[Leaf]:
    try:
        return yaml_text.leaves("\n".join(source.text.lines))
    except yaml_text.YamlError as error:
        source.text.flag("invalid_yaml", f"read line by line: {error}", error.line)
        return list(_line_by_line(source.text.lines))


def _line_by_line(lines: list[str]) -> Iterator[Leaf]:
    above = ""
    for number, line in enumerate(lines, 1):
        if opening := _MAP_LINE.match(line):
            above = opening[1]
        elif above and (match := _LINE.match(line)):
            yield Leaf((above, match[1]), match[2].strip(), number)


def _entries(leaves: list[Leaf]) -> Iterator[Entry]:
    for path, group in _by_parent(leaves).items():
        action = path[0].lower().startswith("action")
        values = {leaf.path[-1].lower(): leaf for leaf in group}
        state = values.get("status")
        if len(path) > 1 and state:
            names = (values[name].value for name in _NAMED_BY if name in values)
            key = next(names, path[-1])
            yield tracking.entry(key, state.value, state.line, action=action)
        elif len(path) == 1:
            for leaf in group:
                yield tracking.entry(leaf.path[-1], leaf.value, leaf.line, action=action)


def _by_parent(leaves: list[Leaf]) -> dict[tuple[str, ...], list[Leaf]]:
    groups: dict[tuple[str, ...], list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        if len(leaf.path) > 1 and leaf.path[0].lower() in _MAPS:
            groups[leaf.path[:-1]].append(leaf)
    return groups


def _flag_repeated(source: Source, entries: tuple[Entry, ...]) -> None:
    seen: dict[str, int] = {}
    for entry in entries:
        if entry.key in seen:
            message = f"{entry.key!r} stands on line {seen[entry.key]} already"
            source.text.flag("duplicate_key", message, entry.line)
        seen.setdefault(entry.key, entry.line)


FAMILY = Family("sprint-status", (".yaml", ".yml"), claims, read, identify)
