"""Which document a reference means."""

import re
from collections.abc import Iterator

from worker.artifacts.ids import normalize, story_in_heading
from worker.artifacts.model import Artifact, Reference
from worker.conflicts.base import Group, evidence, story_key
from worker.conflicts.model import Evidence
from worker.conflicts.rules.remembering import remembered

_WRITTEN = re.compile(
    r"(?<![\w.])(?:\d{1,4}(?:\.\d{1,4}){1,3}|\d{1,4}(?:[-_]\d{1,4}){1,3})[a-z]?(?!\w)",
    re.IGNORECASE,
)
_STORY_TITLE = re.compile(r"\b(?:user )?story\b", re.IGNORECASE)
_PART = re.compile(r"(?<=\d)[a-z]$")
_NUMBERED_STORY = re.compile(r"\d{1,4}\.\d{1,4}")


def key_of(kind: str, identifier: str) -> str:
    """The key that a document of that kind and those that refer to it share."""
    return story_key(identifier) if kind == "story" else f"{kind}:{identifier}"


def reference_key(reference: Reference) -> str:
    return key_of(reference.kind, reference.target)


def own_key(artifact: Artifact) -> str:
    return key_of(artifact.kind, artifact.story or artifact.id)


def defined_in(group: Group) -> list[Artifact]:
    """The members that are the document which the group is about."""
    return [member for member in group.members if own_key(member) == group.key]


@remembered
def told_of(artifact: Artifact) -> frozenset[str]:
    """The keys of stories that a document shows to exist, or to be planned, without being one.

    Parts of a story, "7.2a" and "7.2b", show that there is a "7.2".
    """
    told = {entry.target for entry in artifact.entries if entry.kind == "story"}
    if artifact.kind == "story":
        told.add(_PART.sub("", artifact.story or ""))
    elif artifact.kind == "gate":
        told.add(artifact.story)
    told.update(_headed(artifact))
    return frozenset(story_key(story) for story in told if story and story != artifact.id)


def _headed(artifact: Artifact) -> Iterator[str | None]:
    for section in artifact.sections:
        if match := _STORY_TITLE.search(section.title):
            yield story_in_heading(section.title[match.start() :])[0]


def is_numbered_story(reference: Reference) -> bool:
    """Whether it is a story's full number, and written out rather than within a range."""
    if reference.kind != "story" or not _NUMBERED_STORY.match(reference.target):
        return False
    return reference.target in map(normalize, _WRITTEN.findall(reference.quote))


def called(reference: Reference) -> str:
    """The document's name in a sentence."""
    return (
        reference.target if reference.kind == "proposal" else f"{reference.kind} {reference.target}"
    )


def quoted(artifact: Artifact, reference: Reference) -> Evidence:
    return evidence(artifact, reference.line, reference.quote)
