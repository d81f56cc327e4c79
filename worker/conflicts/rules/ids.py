"""Documents whose ids clash, with each other or with themselves."""

import re
from collections.abc import Iterator

from worker.artifacts.ids import same_story
from worker.artifacts.model import Artifact
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Finding
from worker.conflicts.rules.kinds import is_story, number_in
from worker.conflicts.rules.places import document_key, folder_key, name_of, stem_of

_DATE = re.compile(r"20\d\d\.")
_NAMED = ("story", "epic", "adr", "proposal")


def _story_in_folder(artifact: Artifact) -> Iterator[str]:
    """By all numbers of the file's name: what merely lies beside a story is no second one."""
    if is_story(artifact) and artifact.identity.in_file and artifact.acceptance_criteria:
        number = number_in(stem_of(artifact.path))
        if number and "." in number and not _DATE.match(number):
            yield folder_key(artifact.path, f"story:{number}")


def _self_named(artifact: Artifact) -> Iterator[str]:
    identity = artifact.identity
    if artifact.kind in _NAMED and identity.in_file and identity.in_document:
        yield document_key(artifact)


def _check_twice(group: Group) -> Iterator[Finding]:
    stated = {m.identity.in_document for m in group.members if m.identity.in_document}
    if len(group.members) < 2 or len(stated) > 1:
        return
    first, *others = group.members
    names = ", ".join(name_of(member.path) for member in group.members)
    yield finding(
        TWICE,
        group,
        message=f"{len(group.members)} files in one folder are story {first.id}: {names}. "
        "Renumber or remove all but one.",
        expected=f"one story {first.id}",
        actual=f"{len(group.members)}",
        evidence=[
            evidence(member, member.identity.line, member.title) for member in (first, *others)
        ],
    )


def _check_identity(group: Group) -> Iterator[Finding]:
    for artifact in group.members:
        in_file, in_document = artifact.identity.in_file, artifact.identity.in_document
        if in_file and in_document and not _is_same(in_file, in_document):
            yield finding(
                OTHER_ID,
                group,
                message=f"The file is named {in_file}, but the document calls itself "
                f"{in_document}. Rename the one that is wrong.",
                expected=in_file,
                actual=in_document,
                evidence=[evidence(artifact, artifact.identity.line, artifact.title)],
            )


def _is_same(in_file: str, in_document: str) -> bool:
    """Whether one is the other, perhaps with more behind it, or the file name has no number."""
    longer = same_story(in_document, in_file) or same_story(in_file, in_document)
    return longer or not any(map(str.isdigit, in_file))


TWICE = Rule(
    code="I1",
    name="story-twice",
    severity="error",
    confidence="medium",
    summary="Two files of one folder are the same story.",
    keys=_story_in_folder,
    check=_check_twice,
)
OTHER_ID = Rule(
    code="I2",
    name="id-differs-from-file",
    severity="error",
    confidence="high",
    summary="A document states another id than its file name.",
    keys=_self_named,
    check=_check_identity,
)
RULES = (TWICE, OTHER_ID)
