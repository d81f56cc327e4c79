"""Quality gates, written and run, against the stories they judge."""

from collections.abc import Iterator, Sequence

from worker.artifacts.ids import same_story
from worker.artifacts.model import Artifact, Status
from worker.conflicts.base import Group, OwnVerdict, Rule, evidence, finding, story_key
from worker.conflicts.model import Evidence, Finding
from worker.conflicts.rules.kinds import is_story
from worker.conflicts.rules.places import document_key, nearest
from worker.conflicts.rules.states import is_done

_UNREADABLE = frozenset({"invalid_yaml", "no_verdict"})


def _gates_and_done(artifact: Artifact) -> Iterator[str]:
    is_gate = artifact.kind == "gate" and artifact.status is not None
    if artifact.story and (is_gate or _is_done_story(artifact)):
        yield story_key(artifact.story)


def _gates_and_stories(artifact: Artifact) -> Iterator[str]:
    """A story is there under the name of its file too; a gate of two names is a finding itself."""
    in_file = artifact.identity.in_file
    if artifact.kind == "story":
        yield from {story_key(name) for name in (artifact.story, in_file) if name}
    elif artifact.kind == "gate" and artifact.story and not _is_misnamed(artifact):
        yield story_key(artifact.story)


def _done_stories(artifact: Artifact) -> Iterator[str]:
    if artifact.story and _is_done_story(artifact):
        yield story_key(artifact.story)


def _named_gates(artifact: Artifact) -> Iterator[str]:
    if artifact.kind == "gate" and _is_misnamed(artifact):
        yield document_key(artifact)


def _is_misnamed(gate: Artifact) -> bool:
    in_file, in_document = gate.identity.in_file, gate.identity.in_document
    return bool(in_file and in_document and not same_story(in_document, in_file))


def _flawed_gates(artifact: Artifact) -> Iterator[str]:
    if artifact.kind == "gate" and any(flaw.code in _UNREADABLE for flaw in artifact.warnings):
        yield document_key(artifact)


def _is_done_story(artifact: Artifact) -> bool:
    return is_story(artifact) and is_done(artifact)


def _check_failed(group: Group) -> Iterator[Finding]:
    for story, status, gate, verdict in _judged(group, "FAIL"):
        yield finding(
            FAILED,
            group,
            message=f"Story {story.id} is done, but its newest quality gate says "
            f"{verdict.raw!r}. Reopen the story, or have the gate judged again.",
            expected="a gate that passed, or was waived",
            actual=verdict.raw,
            evidence=[_stated(story, status), _stated(gate, verdict)],
        )


def _check_concerns(group: Group) -> Iterator[Finding]:
    for story, status, gate, verdict in _judged(group, "CONCERNS"):
        yield finding(
            CONCERNS,
            group,
            message=f"Story {story.id} is done, though its newest quality gate has concerns.",
            actual=verdict.raw,
            evidence=[_stated(story, status), _stated(gate, verdict)],
        )


def _judged(group: Group, verdict: str) -> Iterator[tuple[Artifact, Status, Artifact, Status]]:
    """Each done story whose newest gate has that verdict, with both statuses."""
    gates = [member for member in group.members if member.kind == "gate"]
    stories = [member for member in group.members if member.kind == "story"]
    gate = _newest(gates)
    story = nearest(gate.path, stories) if gate else None
    if gate is None or story is None or gate.gate is None or _waived(gate):
        return
    if gate.gate.verdict == verdict and gate.status and story.status:
        yield story, story.status, gate, gate.status


def _newest(gates: Sequence[Artifact]) -> Artifact | None:
    """The gate updated last; one without a date counts only where it is the only one."""
    if len(gates) == 1:
        return gates[0]
    dated = {gate.gate.updated: gate for gate in gates if gate.gate and gate.gate.updated}
    return dated[max(dated)] if dated else None


def _waived(gate: Artifact) -> bool:
    return bool(gate.gate and gate.gate.waiver and gate.gate.waiver.active)


def _check_orphan(group: Group) -> Iterator[Finding]:
    if any(member.kind == "story" for member in group.members):
        return
    for gate in group.members:
        line = gate.identity.line if gate.identity.in_document else 1
        yield finding(
            ORPHAN,
            group,
            message=f"There is no story {gate.story} for this quality gate. Was the story "
            "removed or renumbered?",
            expected=f"a story {gate.story}",
            actual="none",
            evidence=[evidence(gate, line, f"story: {gate.story}")],
        )


def _check_identity(group: Group) -> Iterator[Finding]:
    for gate in group.members:
        in_file, in_document = gate.identity.in_file, gate.identity.in_document
        yield finding(
            OTHER_STORY,
            group,
            message=f"The gate's file is named after story {in_file}, but it judges story "
            f"{in_document}.",
            expected=in_file,
            actual=in_document,
            evidence=[evidence(gate, gate.identity.line, f"story: {in_document}")],
        )


def _check_readable(group: Group) -> Iterator[Finding]:
    for gate in group.members:
        flaw = next(flaw for flaw in gate.warnings if flaw.code in _UNREADABLE)
        yield finding(
            UNREADABLE,
            group,
            message=f"The quality gate cannot be relied on: {flaw.message}.",
            expected="YAML with a verdict: PASS, CONCERNS, FAIL or WAIVED",
            actual=flaw.message,
            evidence=[evidence(gate, flaw.line, gate.title)],
        )


def _check_own(group: Group) -> Iterator[Finding]:
    story_id = group.key.partition(":")[2]
    failed = [v for v in group.world.verdicts(story_id) if v.verdict == "fail"]
    for story in group.members if len(group.members) == 1 else ():
        for verdict in failed:
            if story.status:
                yield _own(group, story, story.status, verdict)


def _own(group: Group, story: Artifact, status: Status, verdict: OwnVerdict) -> Finding:
    return finding(
        OWN_FAILED,
        group,
        message=f"Story {story.id} is done, but {verdict.gate_type} failed for it at commit "
        f"{verdict.commit_sha[:12]}.",
        expected=f"{verdict.gate_type} passes",
        actual=f"failed, {verdict.finished_at}",
        evidence=[
            evidence(story, status.line, f"{status.raw} ({verdict.gate_type} failed)"),
        ],
    )


def _stated(artifact: Artifact, status: Status) -> Evidence:
    return evidence(artifact, status.line, status.raw)


FAILED = Rule(
    code="G1",
    name="done-despite-failed-gate",
    severity="error",
    confidence="high",
    summary="A story is done although its newest quality gate failed.",
    keys=_gates_and_done,
    check=_check_failed,
)
CONCERNS = Rule(
    code="G1b",
    name="done-with-concerns",
    severity="info",
    confidence="high",
    summary="A story is done while its newest quality gate has concerns.",
    keys=_gates_and_done,
    check=_check_concerns,
)
ORPHAN = Rule(
    code="G2",
    name="gate-without-story",
    severity="warning",
    confidence="medium",
    summary="A quality gate judges a story that has no file.",
    keys=_gates_and_stories,
    check=_check_orphan,
)
OTHER_STORY = Rule(
    code="G3",
    name="gate-of-another-story",
    severity="error",
    confidence="high",
    summary="A gate's file is named after one story, and judges another.",
    keys=_named_gates,
    check=_check_identity,
)
OWN_FAILED = Rule(
    code="G4",
    name="done-despite-failed-check",
    severity="error",
    confidence="high",
    summary="A story is done although a check that was run for it failed.",
    keys=_done_stories,
    check=_check_own,
)
UNREADABLE = Rule(
    code="G5",
    name="gate-unreadable",
    severity="error",
    confidence="high",
    summary="A quality gate is not YAML, or gives no verdict.",
    keys=_flawed_gates,
    check=_check_readable,
)
RULES = (FAILED, CONCERNS, ORPHAN, OTHER_STORY, OWN_FAILED, UNREADABLE)
