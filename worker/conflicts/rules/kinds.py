"""Which records are the work itself, and which merely tell of it."""

import re

from worker.artifacts.ids import normalize
from worker.artifacts.model import Artifact
from worker.conflicts.rules.places import stem_of

_ABOUT = re.compile(
    r"\b(?:report|summary|hand-?off(?:-to-\w+)?|overview|decision|reference|analysis|review|notes|plan"
    r"|index|status|complet(?:e|ion)|context|checklist|results?|update|issues|guide)$"
)


_PART = r"\d+(?:[a-z](?![a-z])\d*)*"
_NUMBER = re.compile(
    rf"(?:(?:user[-_.])?story[-_.])?((?:[a-z]{{1,5}}[-_.]?)?{_PART}(?:[-_.](?:p|phase|part)?{_PART})*)"
)


def number_in(name: str) -> str | None:
    """All leading numbers of a file's or entry's name: "5.5-1-parity" is "5.5.1"."""
    match = _NUMBER.match(name.lower())
    return normalize(match[1]) if match else None


def is_story(artifact: Artifact) -> bool:
    """Whether it is a story: reports lie among stories, and are named after them."""
    stem = stem_of(artifact.path)
    told_of = not stem.endswith(".story") and _ABOUT.search(stem.replace("_", "-"))
    return artifact.kind == "story" and artifact.subtype != "unread" and not told_of
