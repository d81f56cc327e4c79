"""Links that lead nowhere."""

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from worker.artifacts.model import Artifact, Link
from worker.conflicts.base import Group, Rule, evidence, finding, name_key, path_key
from worker.conflicts.model import Finding, Fix
from worker.conflicts.rules.link_targets import (
    from_folders_above,
    has_lines,
    is_local,
    is_named_file,
    relative,
    resolved,
    written_path,
)
from worker.conflicts.rules.places import document_key, name_of

_COMMON_NAME = re.compile(
    r"(?:readme|index|template|changelog|license|contributing|overview|__init__|mod|main|setup"
    r"|package|config|types?|utils?|constants|page|layout|route|spec|tasks|plan|design|proposal)\b",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"\.(?:png|jpe?g|gif|webp|svg|pdf)$", re.IGNORECASE)
_QUOTING = frozenset({"story", "plan", "tasks", "spec", "design", "change"})
_SHOWN = 3


def _keys(artifact: Artifact) -> Iterator[str]:
    """A file is looked for under its name, wherever it may be now; a folder where it should be."""
    for _, path in _targets(artifact, artifact.links):
        yield _target_key(path)


def _targets(artifact: Artifact, links: Iterable[Link]) -> Iterator[tuple[Link, str]]:
    for link in links:
        written = written_path(link.target)
        path = resolved(artifact.path, written) if written else None
        if path and written and (is_named_file(path) or _is_folder(artifact, written)):
            yield link, path


def _is_folder(artifact: Artifact, written: str) -> bool:
    """Without a suffix it may be a page of a site, unless it is written like a folder."""
    top = artifact.path.partition("/")[0]
    return written.startswith(f"/{top}/") or (_is_exact(written) and written.endswith("/"))


def _is_exact(written: str) -> bool:
    """Whether it says itself from where it counts."""
    return written.startswith(("./", "../", "/"))


def _target_key(path: str) -> str:
    return name_key(name_of(path)) if is_named_file(path) else path_key(path)


def _check(group: Group) -> Iterator[Finding]:
    loose: dict[str, list[tuple[Artifact, Link]]] = {}
    for artifact, link, path in _absent(group):
        named = group.world.named(name_of(path)) if is_named_file(path) else ()
        written = written_path(link.target) or ""
        if not link.cited and (_is_exact(written) or not _is_loose(artifact, link, named)):
            yield _broken(group, artifact, link, path, named)
        elif not _is_end_of(written, named) or not link.cited:
            loose.setdefault(written, []).append((artifact, link))
    for written, found in loose.items():
        yield _loose(group, written, found)


def _absent(group: Group) -> Iterator[tuple[Artifact, Link, str]]:
    name = name_of(group.key.partition(":")[2]).lower()
    for artifact in group.members:
        near = [link for link in artifact.links if _may_name(link, name)]
        for link, path in _targets(artifact, near):
            asked = _target_key(path) == group.key and not group.world.exists(path)
            if asked and (_IMAGE.search(path) or not group.world.ignored(path)):
                yield artifact, link, path


def _is_loose(artifact: Artifact, link: Link, named: Sequence[str]) -> bool:
    """Stories and plans quote what is to be written elsewhere, with the links that it will have."""
    return artifact.kind in _QUOTING or _meant(artifact, link, named) is not None


def _may_name(link: Link, name: str) -> bool:
    """A cheap test, because a document with many links is in as many groups."""
    return name in link.target.lower() or "%" in link.target


def _meant(artifact: Artifact, link: Link, named: Sequence[str]) -> str | None:
    """The path that the link would have from one of the folders above."""
    written = written_path(link.target) or ""
    candidates = from_folders_above(artifact.path, written) if named else ()
    return next((path for path in candidates if path in named), None)


def _is_end_of(written: str, named: Sequence[str]) -> bool:
    """Whether a note names a file by the last parts of its path, in whatever case."""
    end = f"/{written.removeprefix('./').lstrip('/')}".lower()
    return any(f"/{path}".lower().endswith(end) for path in named)


def _broken(
    group: Group, artifact: Artifact, link: Link, path: str, named: Sequence[str]
) -> Finding:
    moved = _meant(artifact, link, named)
    if moved is None and len(named) == 1 and not _COMMON_NAME.match(name_of(path)):
        moved = named[0]
    if moved:
        return _moved(group, artifact, link, moved)
    others = f" Files of that name: {', '.join(named[:_SHOWN])}." if named else ""
    return finding(
        BROKEN,
        group,
        message=f"The link to {link.target} leads nowhere: there is no {path}.{others}",
        expected="a file or folder that exists",
        actual=link.target,
        evidence=[evidence(artifact, link.line, link.target)],
    )


def _moved(group: Group, artifact: Artifact, link: Link, path: str) -> Finding:
    new = quote(relative(artifact.path, path), safe="/()&@+,=!~'")
    fix = Fix(
        kind="edit", path=artifact.path, line=link.line, original=link.target, replacement=new
    )
    return finding(
        BROKEN,
        group,
        message=f"The link to {link.target} leads nowhere; {path} is meant.",
        expected=new,
        actual=link.target,
        evidence=[evidence(artifact, link.line, link.target)],
        fix=None if has_lines(link) else fix,
    )


def _loose(group: Group, written: str, found: Sequence[tuple[Artifact, Link]]) -> Finding:
    """What readers find by searching and no click leads to: one line for all who name it so."""
    artifact, link = found[0]
    count = f"{len(found)} places name" if len(found) > 1 else "A document names"
    return finding(
        BROKEN,
        group,
        severity="info",
        message=f"{count} {written}, which is no path from there.",
        expected="a path from the document's own folder",
        actual=link.target,
        evidence=[evidence(artifact, link.line, link.target)],
    )


def _local_keys(artifact: Artifact) -> Iterator[str]:
    if any(map(is_local, artifact.links)):
        yield document_key(artifact)


def _check_local(group: Group) -> Iterator[Finding]:
    for artifact in group.members:
        for link in filter(is_local, artifact.links):
            yield finding(
                LOCAL,
                group,
                message=f"The link to {link.target} works on one machine only.",
                expected="a path within the repository",
                actual=link.target,
                evidence=[evidence(artifact, link.line, link.target)],
            )


BROKEN = Rule(
    code="L1",
    name="link-broken",
    severity="warning",
    confidence="high",
    summary="A link leads to a file or folder that is not there.",
    keys=_keys,
    check=_check,
)
LOCAL = Rule(
    code="L3",
    name="link-to-own-disk",
    severity="warning",
    confidence="high",
    summary="A link leads to a path of its author's own machine.",
    keys=_local_keys,
    check=_check_local,
)
RULES = (BROKEN, LOCAL)
