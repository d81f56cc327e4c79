"""What documents say is meant to be so: `<!-- conflict-ok: S1 the reason -->`."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from worker.artifacts.model import Artifact, Suppression
from worker.conflicts.base import Group, Rule, World, evidence, finding
from worker.conflicts.model import Finding

EVERYTHING = "*"
NO_REASON = "no reason given"

Used = Collection[tuple[str, Suppression]]


def _keys(artifact: Artifact) -> Iterator[str]:
    if artifact.suppressions:
        yield f"suppressions:{artifact.path}"


UNUSED = Rule(
    code="U1",
    name="unused-suppression",
    severity="info",
    confidence="high",
    summary="A comment allows a conflict that is not there, or names no rule.",
    keys=_keys,
    # What matches nothing is known only when all other groups of the document are checked.
    check=lambda _: (),
)


class Suppressions:
    """The comments of some documents, and which of them have been needed."""

    def __init__(self, artifacts: Iterable[Artifact]) -> None:
        self._of = {a.path: a.suppressions for a in artifacts if a.suppressions}
        self._used: set[tuple[str, Suppression]] = set()

    def apply(self, finding: Finding) -> Finding:
        """The finding, marked if a document of its evidence allows it by code, name or `*`."""
        matching = [
            found for side in finding.evidence for found in self._matching(side.path, finding)
        ]
        if not matching:
            return finding
        self._used.update(matching)
        return finding.model_copy(update={"suppressed": matching[0][1].reason or NO_REASON})

    def unused(self, artifact: Artifact, world: World, rules: Sequence[Rule]) -> Iterator[Finding]:
        """A finding for each comment of the document that nothing needed."""
        known = {word.lower() for rule in rules for word in (rule.code, rule.name)} | {EVERYTHING}
        for key in _keys(artifact):
            group = Group(key, [artifact], world)
            for comment in artifact.suppressions:
                if (artifact.path, comment) not in self._used:
                    yield _unused(group, comment, comment.code.lower() in known)

    def _matching(self, path: str, finding: Finding) -> Iterator[tuple[str, Suppression]]:
        words = (finding.code.lower(), finding.name, EVERYTHING)
        return ((path, c) for c in self._of.get(path, ()) if c.code.lower() in words)


def _unused(group: Group, comment: Suppression, known: bool) -> Finding:
    (artifact,) = group.members
    words = f"conflict-ok: {comment.code} {comment.reason}"
    problem = "allows a conflict that is not there" if known else "names no rule"
    message = f"The comment `conflict-ok: {comment.code}` {problem}; remove it."
    return finding(
        UNUSED, group, message=message, evidence=[evidence(artifact, comment.line, words)]
    )
