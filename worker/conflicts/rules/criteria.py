"""Acceptance criteria: cited and not there, or not there at all."""

import re
from collections.abc import Iterator, Sequence

from worker.artifacts.model import Artifact, Task
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Finding
from worker.conflicts.rules.kinds import is_story
from worker.conflicts.rules.places import document_key, folder_key
from worker.conflicts.rules.states import state

_LABEL = re.compile(r"\W*(?:AC|Acceptance|Criteri|Scenario)", re.IGNORECASE)
_STARTED = ("ready", "in-progress", "review", "done")
_BRACKETS = re.compile(r"[(\[]([^()\[\]]*\bACs?\b[^()\[\]]*)[)\]]")
_MOST = 0.8
_LEAST_STORIES = 5
_NAMED = re.compile(
    r"accept|criteri|success|requirement|\bacs?\b|definition of done", re.IGNORECASE
)


def _citing(artifact: Artifact) -> Iterator[str]:
    if artifact.acceptance_criteria and any(task.acs for task in artifact.tasks):
        yield document_key(artifact)


def _of_one_epic(artifact: Artifact) -> Iterator[str]:
    if is_story(artifact) and artifact.epic:
        yield folder_key(artifact.path, f"criteria:{artifact.epic}")


def _check_cited(group: Group) -> Iterator[Finding]:
    for story in group.members:
        if not _is_certain(story):
            continue
        known = {criterion.n for criterion in story.acceptance_criteria}
        named = " ".join(section.title for section in story.sections)
        cited = ((task, n) for task in story.tasks for n in task.acs if _cites(task, n))
        wrong = [(task, n) for task, n in cited if n not in known and n.isdigit()]
        wrong = [(t, n) for t, n in wrong if not re.search(rf"\bAC\W{{0,2}}{n}\b", named)]
        if wrong:
            yield _unknown(group, story, wrong)


def _cites(task: Task, number: str) -> bool:
    """Whether the number is in brackets with the word: "(AC: 1, 3)"; ranges need not show it."""
    brackets = _BRACKETS.findall(task.text)
    shown = any(re.search(rf"(?<![\d.]){number}(?!\d)", text) for text in brackets)
    return shown or any("-" in text or "\u2013" in text for text in brackets)


def _is_certain(story: Artifact) -> bool:
    """Whether they are 1, 2, 3 … without a gap, and not mere headings of groups."""
    criteria = story.acceptance_criteria
    titles = {section.line: section.title for section in story.sections}
    grouped = any(c.line in titles and not _LABEL.match(titles[c.line]) for c in criteria)
    numbers = {criterion.n for criterion in criteria}
    row = numbers == {str(number) for number in range(1, len(criteria) + 1)}
    return row and len(criteria) > 1 and not grouped


def _unknown(group: Group, story: Artifact, wrong: Sequence[tuple[Task, str]]) -> Finding:
    task, last, count = wrong[0][0], story.acceptance_criteria[-1], len(story.acceptance_criteria)
    numbers = ", ".join(dict.fromkeys(number for _, number in wrong))
    return finding(
        UNKNOWN,
        group,
        message=f"Tasks of story {story.id} refer to acceptance criteria that it does not have: "
        f"{numbers}. It has {count}.",
        expected=f"a number from 1 to {count}",
        actual=numbers,
        evidence=[
            evidence(story, task.line, task.text),
            evidence(story, last.line, f"{last.n}. {last.text}"),
        ],
    )


def _check_without(group: Group) -> Iterator[Finding]:
    """A story without criteria stands out only where its neighbours have them."""
    having = sum(bool(member.acceptance_criteria) for member in group.members)
    if len(group.members) < _LEAST_STORIES or having < _MOST * len(group.members):
        return
    for story in group.members:
        if story.status and state(story.status) in _STARTED and not _has_any(story):
            yield finding(
                WITHOUT,
                group,
                message=f"Story {story.id} is {story.status.raw!r} without acceptance criteria; "
                f"{having} of the {len(group.members)} stories of its epic have them.",
                expected="acceptance criteria",
                actual="none",
                evidence=[evidence(story, story.status.line, story.status.raw)],
            )


def _has_any(story: Artifact) -> bool:
    """Under another name, or in front matter that states the status too."""
    titles = (section.title for section in story.sections)
    first = story.sections[0].line if story.sections else 0
    fronted = story.status is not None and story.status.line < first
    named = any(_NAMED.search(title) for title in titles)
    return bool(story.acceptance_criteria) or fronted or named


UNKNOWN = Rule(
    code="A1",
    name="criterion-unknown",
    severity="error",
    confidence="medium",
    summary="A task refers to an acceptance criterion that the story does not have.",
    keys=_citing,
    check=_check_cited,
)
WITHOUT = Rule(
    code="A4",
    name="story-without-criteria",
    severity="warning",
    confidence="medium",
    summary="A story is under way without acceptance criteria, unlike the others of its epic.",
    keys=_of_one_epic,
    check=_check_without,
)
RULES = (UNKNOWN, WITHOUT)
