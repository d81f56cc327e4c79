"""Stories whose boxes and status disagree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from worker.artifacts.model import Artifact, Status, Task
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Finding, Severity
from worker.conflicts.rules.kinds import is_story
from worker.conflicts.rules.places import document_key, headings_above
from worker.conflicts.rules.states import is_done, state

_HABIT_KEY = "repo:tasks-never-ticked"
_LEAST_TASKS = 3
_SHOWN = 8
_LEFT_OUT = re.compile(
    r"\b(?:deferred|defer|optional(?:ly)?|future|n/a|not applicable|not needed|not required"
    r"|out of scope|skip(?:ped)?|postponed|post[- ](?:mvp|merge|deploy\w*|release)|later|moved to"
    r"|won'?t|stretch|nice to have|(?:as|where|if) (?:feasible|possible|needed|required|necessary)"
    r"|if time|covered (?:by|via|in)|handled (?:by|in)|separate(?:ly)?|(?:next|another|other) story"
    r"|follow[- ]?ups?|manual(?:ly)?|cancell?ed"
    r"|removed|superseded|backlog|blocked|pending|phase 2|v2|todo|maintainer|example"
    r"|option [a-z0-9]|(?:user|developer|owner|maintainer) action|real device|on-pr"
    r"|exists? yet)\b|~~",
    re.IGNORECASE,
)
_OTHER_LIST = re.compile(
    r"definition of (?:done|ready)|\bdod\b|check ?list|review|follow[- ]?up|manual|\bqa\b"
    r"|optional|deferred|future|enhancement|out of scope|next steps|post[- ]|stretch"
    r"|verification|sign[- ]off|deployment|rollout",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Boxes:
    """The boxes of one story that count, and those among them that are not ticked."""

    counted: list[Task]
    open: list[Task]


def _done_with_tasks(story: Artifact) -> Iterator[str]:
    some = {task.done for task in story.tasks} == {True, False}
    if some and is_story(story) and is_done(story):
        yield document_key(story)


def _done_and_never_ticked(story: Artifact) -> Iterator[str]:
    if is_story(story) and is_done(story) and _never_ticked(story):
        yield _HABIT_KEY


def _not_started_with_tasks(story: Artifact) -> Iterator[str]:
    early = state(story.status) in ("backlog", "draft", "ready")
    if is_story(story) and early and len(story.tasks) >= _LEAST_TASKS:
        yield document_key(story)


def _check_done(group: Group) -> Iterator[Finding]:
    """A few open boxes contradict the status; many say that nobody keeps the boxes."""
    for story in group.members:
        boxes = _boxes(story)
        ticked = len(boxes.counted) - len(boxes.open)
        if boxes.open and ticked and story.status:
            yield _open_tasks(group, story, story.status, boxes)


def _open_tasks(group: Group, story: Artifact, status: Status, boxes: _Boxes) -> Finding:
    total, first = len(boxes.counted), boxes.open[0]
    lines = ", ".join(str(task.line) for task in boxes.open[:_SHOWN])
    more = ", …" if len(boxes.open) > _SHOWN else ""
    return finding(
        OPEN_TASKS,
        group,
        severity=_severity(boxes),
        message=f"Story {story.id} is done, but {len(boxes.open)} of its {total} tasks are not "
        f"ticked (line {lines}{more}). Tick or defer them, or reopen the story.",
        expected="every task ticked, or marked as deferred",
        actual=f"{len(boxes.open)} of {total} open",
        evidence=[
            evidence(story, status.line, status.raw),
            evidence(story, first.line, first.text),
        ],
    )


def _severity(boxes: _Boxes) -> Severity:
    """Open boxes below a ticked one are details that its tick may well have covered."""
    if len(boxes.open) * 2 > len(boxes.counted):
        return "info"
    parents: list[Task] = []
    for task in boxes.counted:
        while parents and parents[-1].level >= task.level:
            parents.pop()
        if not task.done and not any(parent.done for parent in parents):
            return "error"
        parents.append(task)
    return "warning"


def _check_habit(group: Group) -> Iterator[Finding]:
    first = group.members[0]
    if first.status:
        count = len(group.members)
        yield finding(
            NEVER_TICKED,
            group,
            message=f"{count} done {'story has' if count == 1 else 'stories have'} no task ticked "
            "at all: boxes are not kept here, so that they cannot say what is left.",
            evidence=[
                evidence(first, first.status.line, first.status.raw),
                evidence(first, first.tasks[0].line, first.tasks[0].text),
            ],
        )


def _check_all_ticked(group: Group) -> Iterator[Finding]:
    for story in group.members:
        if story.status and all(task.done for task in story.tasks):
            last = story.tasks[-1]
            yield finding(
                ALL_TICKED,
                group,
                message=f"All {len(story.tasks)} tasks of story {story.id} are ticked, but its "
                f"status is still {story.status.raw!r}. Move the status on.",
                expected="in review or done",
                actual=story.status.raw,
                evidence=[
                    evidence(story, story.status.line, story.status.raw),
                    evidence(story, last.line, last.text),
                ],
            )


def _never_ticked(story: Artifact) -> bool:
    return len(story.tasks) >= _LEAST_TASKS and not any(task.done for task in story.tasks)


def _boxes(story: Artifact) -> _Boxes:
    counted = list(_counted(story))
    return _Boxes(counted, [task for task in counted if not task.done])


def _counted(story: Artifact) -> Iterator[Task]:
    """The tasks but for open ones that are put off: by their own words, a parent's, a heading's.

    What is open two levels down, below a tick, is a remark rather than work.
    """
    left_out: int | None = None
    ticked: int | None = None
    for task in story.tasks:
        if left_out is not None and task.level > left_out:
            continue
        left_out = None
        ticked = None if ticked is not None and task.level <= ticked else ticked
        detail = not task.done and task.level > 1 and ticked is not None
        if detail or (not task.done and _is_put_off(story, task)):
            left_out = task.level
            continue
        ticked = task.level if task.done and ticked is None else ticked
        yield task


def _is_put_off(story: Artifact, task: Task) -> bool:
    return _LEFT_OUT.search(task.text) is not None or _in_other_list(story, task)


def _in_other_list(story: Artifact, task: Task) -> bool:
    above = headings_above(story, task.line)
    return any(_OTHER_LIST.search(section.title) for section in above)


OPEN_TASKS = Rule(
    code="S1",
    name="done-with-open-tasks",
    severity="error",
    confidence="high",
    summary="A story is done while some of its tasks are not ticked.",
    keys=_done_with_tasks,
    check=_check_done,
)
NEVER_TICKED = Rule(
    code="S3",
    name="tasks-never-ticked",
    severity="info",
    confidence="high",
    summary="Stories are done without a single ticked task: a habit, told once.",
    keys=_done_and_never_ticked,
    check=_check_habit,
)
ALL_TICKED = Rule(
    code="S2",
    name="finished-but-not-started",
    severity="warning",
    confidence="medium",
    summary="Every task of a story is ticked while its status says that work has not begun.",
    keys=_not_started_with_tasks,
    check=_check_all_ticked,
)
RULES = (OPEN_TASKS, ALL_TICKED, NEVER_TICKED)
