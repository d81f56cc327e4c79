"""Links to headings that are not there."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from worker.artifacts.model import Artifact, Link
from worker.artifacts.text import MAX_ITEMS
from worker.conflicts.base import Group, Rule, evidence, finding, path_key
from worker.conflicts.model import Finding
from worker.conflicts.rules.link_targets import resolved, written_path

_LINE = re.compile(r"L\d+(?:-L?\d+)?")
_NOT_LETTERS = re.compile(r"[\W_]+")


def _keys(artifact: Artifact) -> Iterator[str]:
    if artifact.sections:
        yield path_key(artifact.path)
    for _, path in _targets(artifact):
        yield path_key(path)


def _targets(artifact: Artifact) -> Iterator[tuple[Link, str]]:
    for link in artifact.links:
        if link.anchor and not _LINE.fullmatch(link.anchor):
            path = _target(artifact, link)
            if path:
                yield link, path


def _target(artifact: Artifact, link: Link) -> str | None:
    if not link.target:
        return artifact.path
    written = written_path(link.target)
    return resolved(artifact.path, written) if written else None


def _check(group: Group) -> Iterator[Finding]:
    target = next((member for member in group.members if _is_about(group, member)), None)
    if target is None or len(target.sections) >= MAX_ITEMS:
        return
    anchors = {section.anchor for section in target.sections}
    loose = {_loosely(anchor): anchor for anchor in sorted(anchors)}
    for artifact in group.members:
        for link, path in _targets(artifact):
            anchor = unquote(link.anchor or "").lower()
            if path_key(path) == group.key and anchor not in anchors:
                yield _missing(group, artifact, link, target, loose.get(_loosely(anchor)))


def _is_about(group: Group, artifact: Artifact) -> bool:
    return bool(artifact.sections) and path_key(artifact.path) == group.key


def _missing(
    group: Group, artifact: Artifact, link: Link, target: Artifact, similar: str | None
) -> Finding:
    hint = f" Did you mean #{similar}?" if similar else ""
    return finding(
        ANCHOR,
        group,
        message=f"{target.path} has no heading #{link.anchor}.{hint}",
        expected=f"#{similar}" if similar else "the anchor of a heading",
        actual=f"#{link.anchor}",
        evidence=[evidence(artifact, link.line, f"{link.target}#{link.anchor}")],
    )


def _loosely(anchor: str) -> str:
    """The letters and digits alone: what differs between one maker of anchors and another."""
    return _NOT_LETTERS.sub("", anchor.lower())


ANCHOR = Rule(
    code="L2",
    name="anchor-missing",
    severity="info",
    confidence="low",
    summary="A link names a heading that its target does not have.",
    keys=_keys,
    check=_check,
)
RULES = (ANCHOR,)
