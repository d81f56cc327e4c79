"""Statuses that are no words of their kind of document."""

import re
from collections.abc import Iterator

from worker.artifacts import status as statuses
from worker.artifacts.model import Artifact, Status
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Finding, Fix
from worker.conflicts.rules.edit_distance import distance
from worker.conflicts.rules.places import document_key

_VOCABULARIES = {
    "story": statuses.STORY,
    "epic": statuses.EPIC,
    "adr": statuses.DECISION,
    "kep": statuses.KEP,
    "pep": statuses.PEP,
    "eip": statuses.EIP,
    "swift": statuses.SWIFT,
}
_TRACKED = statuses.EPIC
_WORD = re.compile(r"[^\W\d_][\w-]*")
_WORDS = re.compile(
    r"[\W_]*([^\W\d_](?:[^\W\d_]|[ _-](?=\w)){0,40})[\W_]*(?:[(\n#].*)?$", re.DOTALL
)
_CHOICE = re.compile(r"[\w -]+(?:\s*[|/]\s*[\w -]+){2,}")
_PLACEHOLDER = re.compile(r"[\[{<].*[\]}>]|TBD|TODO|N/?A", re.IGNORECASE)
_LEAST_LETTERS = 4
_TWO_SLIPS = 8


def _unknown(artifact: Artifact) -> Iterator[tuple[Status, str]]:
    """The statuses nobody understood, each with the quote that shows it."""
    if artifact.status and artifact.status.normalized is None and artifact.status.raw:
        yield artifact.status, artifact.status.raw
    for entry in artifact.entries:
        if entry.status.normalized is None and entry.status.raw:
            yield entry.status, f"{entry.key}: {entry.status.raw}"


def _vocabulary(artifact: Artifact) -> statuses.Vocabulary | None:
    if artifact.entries:
        return _TRACKED
    return _VOCABULARIES.get(artifact.kind) or _VOCABULARIES.get(artifact.subtype)


def _keys(artifact: Artifact) -> Iterator[str]:
    if _vocabulary(artifact) and any(_unknown(artifact)):
        yield document_key(artifact)


def _check_spelling(group: Group) -> Iterator[Finding]:
    for artifact in group.members:
        for status, quote in _unknown(artifact):
            meant = _meant(status.raw, _vocabulary(artifact) or {})
            if meant:
                yield _misspelt(group, artifact, status, quote, meant)


def _misspelt(
    group: Group, artifact: Artifact, status: Status, quote: str, meant: tuple[str, str]
) -> Finding:
    written, word = meant
    return finding(
        MISSPELT,
        group,
        message=f"{written!r} is no status we know. Did you mean {word!r}?",
        expected=word,
        actual=written,
        evidence=[evidence(artifact, status.line, quote)],
        fix=Fix(
            kind="edit", path=artifact.path, line=status.line, original=written, replacement=word
        ),
    )


def _meant(raw: str, vocabulary: statuses.Vocabulary) -> tuple[str, str] | None:
    """The misspelt words and those they are nearest to; None where several are as near."""
    match = _WORDS.match(raw)
    if not match or len(match[1]) < _LEAST_LETTERS:
        return None
    words = match[1].lower().replace("-", " ").replace("_", " ")
    most = 2 if len(words) >= _TWO_SLIPS else 1
    near = sorted((distance(words, known, most), known) for known in vocabulary)
    # "reviewed" is a form of "review" and no slip.
    near = [(s, k) for s, k in near if 0 < s <= most and not words.startswith(k)]
    if not near or (len(near) > 1 and near[0][0] == near[1][0]):
        return None
    return match[1], near[0][1]


def _check_unfilled(group: Group) -> Iterator[Finding]:
    for artifact in group.members:
        for status, quote in _unknown(artifact):
            if _is_unfilled(status.raw):
                yield finding(
                    UNFILLED,
                    group,
                    message=f"The status of {artifact.id} is still a list of choices.",
                    expected="one status",
                    actual=status.raw,
                    evidence=[evidence(artifact, status.line, quote)],
                )


def _is_unfilled(raw: str) -> bool:
    return (
        _CHOICE.fullmatch(raw.strip()) is not None
        or _PLACEHOLDER.fullmatch(raw.strip()) is not None
    )


def _word_keys(artifact: Artifact) -> Iterator[str]:
    vocabulary = _vocabulary(artifact)
    for status, _ in _unknown(artifact) if vocabulary else ():
        if not _is_unfilled(status.raw) and not _meant(status.raw, vocabulary or {}):
            yield _word_key(artifact, status)


def _word_key(artifact: Artifact, status: Status) -> str:
    match = _WORD.search(status.raw)
    return f"status-word:{artifact.kind}:{match[0].lower() if match else ''}"


def _check_word(group: Group) -> Iterator[Finding]:
    """One line for each word, however many documents use it."""
    first = group.members[0]
    status, quote = next(
        (status, quote)
        for status, quote in _unknown(first)
        if _word_key(first, status) == group.key
    )
    count = len(group.members)
    yield finding(
        UNKNOWN,
        group,
        message=f"{count} {'document uses' if count == 1 else 'documents use'} a status that we "
        f"do not know: {status.raw.partition(chr(10))[0]!r}. They are compared without it.",
        actual=status.raw,
        evidence=[evidence(first, status.line, quote)],
    )


MISSPELT = Rule(
    code="V1",
    name="status-misspelt",
    severity="warning",
    confidence="high",
    summary="A status is a known word with a slip in it.",
    keys=_keys,
    check=_check_spelling,
)
UNFILLED = Rule(
    code="V2",
    name="status-not-chosen",
    severity="warning",
    confidence="high",
    summary="A status is still the template's list of choices.",
    keys=_keys,
    check=_check_unfilled,
)
UNKNOWN = Rule(
    code="V3",
    name="status-unknown",
    severity="info",
    confidence="medium",
    summary="A status is no word that is known for documents of its kind; told once a word.",
    keys=_word_keys,
    check=_check_word,
)
RULES = (MISSPELT, UNFILLED, UNKNOWN)
