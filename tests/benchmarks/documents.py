"""A repository's worth of invented project documents, with a conflict here and there."""

from collections.abc import Iterator
from dataclasses import dataclass

STORIES = 10
GATES = 3
WORDS = (
    "ledger", "export", "tokens", "mailbox", "search", "invoice", "session", "archive", "report",
    "gateway", "calendar", "payments", "profile", "webhook", "catalog", "delivery",
)  # fmt: skip
PARAGRAPH = (
    "The {0} keeps its own clock, and asks the {1} only when a reader is waiting for an answer "
    "(see `src/{0}/reader.py`). What the {1} refuses is written to the {0} with its reason, so "
    "that nobody has to guess later; **a refusal is not an error** and is never tried again.\n\n"
)


@dataclass(frozen=True)
class _Epic:
    number: int

    @property
    def word(self) -> str:
        return WORDS[self.number % len(WORDS)]

    @property
    def other(self) -> str:
        return WORDS[(self.number + 5) % len(WORDS)]

    def prose(self, paragraphs: int) -> str:
        return PARAGRAPH.format(self.word, self.other) * paragraphs

    def story_path(self, story: int) -> str:
        return f"docs/stories/{self.number}.{story}.{self.word}-part-{story}.story.md"

    def source(self, story: int, part: int) -> str:
        return f"src/{self.word}{self.number}/part_{story}_{part}.py"

    def state(self, story: int) -> str:
        if self.number % 4:
            return "Done"
        return ("Done", "Draft", "Ready for Review", "In Progress")[story % 4]


def repository(artifacts: int) -> dict[str, bytes]:
    """Files by path: so many documents of about 10 kB, and the sources that they name."""
    epics = [_Epic(number) for number in range(1, 1 + max(1, artifacts // (STORIES + GATES + 2)))]
    documents = {path: text for epic in epics for path, text in _documents(epic)}
    documents["docs/sprint-status.yaml"] = _sprint_status(epics)
    for number in range(len(epics) + 1, len(epics) + 1 + artifacts - len(documents)):
        documents[_decision_path(number)] = _decision(epics[number % len(epics)], number)
    sources = {path: "pass\n" for epic in epics for path in _sources(epic)}
    return {path: text.encode() for path, text in (documents | sources).items()}


def _documents(epic: _Epic) -> Iterator[tuple[str, str]]:
    yield f"docs/epics/epic-{epic.number}-{epic.word}.md", _epic(epic)
    yield _decision_path(epic.number), _decision(epic, epic.number)
    for story in range(1, STORIES + 1):
        yield epic.story_path(story), _story(epic, story)
    for story in range(1, GATES + 1):
        yield (
            f"docs/qa/gates/{epic.number}.{story}-{epic.word}-part-{story}.yml",
            _gate(epic, story),
        )


def _sources(epic: _Epic) -> Iterator[str]:
    return (epic.source(s, p) for s in range(1, STORIES + 1) for p in range(1, 6))


def _epic(epic: _Epic) -> str:
    lines = "".join(
        f"### Story {epic.number}.{n}: {epic.word.title()} part {n}\n\n"
        f"[The story](../stories/{epic.number}.{n}.{epic.word}-part-{n}.story.md)\n\n"
        f"{epic.prose(1)}1. Part {n} answers within 200 ms.\n2. Part {n} can be switched off.\n\n"
        for n in range(1, STORIES + 1)
    )
    status = "Done" if epic.number % 4 else "In Progress"
    return (
        f"# Epic {epic.number}: {epic.word.title()}\n\n**Status:** {status}\n\n"
        f"{epic.prose(10)}## Stories\n\n{lines}"
    )


def _story(epic: _Epic, n: int) -> str:
    done, state = epic.state(n) == "Done", epic.state(n)
    forgotten = (epic.number + n) % 17 == 0
    tasks = "".join(
        f"- [{'x' if done and not (forgotten and t == 5) else ' '}] Task {t}: Do part {t} of the "
        f"{epic.word} (AC: {min(t, 4)})\n"
        + "".join(f"  - [{'x' if done else ' '}] Step {s} in `part_{n}_{t}`\n" for s in range(1, 4))
        for t in range(1, 6)
    )
    criteria = "".join(
        f"{c}. The {epic.word} does what {epic.other} {c} asks.\n" for c in range(1, 5)
    )
    files = "".join(f"- `{epic.source(n, p)}` (NEW)\n" for p in range(1, 6))
    before = f"Story {epic.number}.{n - 1}" if n > 1 else "None"
    return (
        f"# Story {epic.number}.{n}: {epic.word.title()} part {n}\n\n## Status\n\n{state}\n\n"
        f"## Story\n\n**As a** reader,\n**I want** the {epic.word},\n**so that** it is there.\n\n"
        f"## Acceptance Criteria\n\n{criteria}\n## Tasks / Subtasks\n\n{tasks}\n"
        f"## Dependencies\n\n- {before}\n\n## Dev Notes\n\n{epic.prose(28)}"
        f"The choice is in [the decision](../adr/{epic.number:04}-keep-the-{epic.word}.md).\n\n"
        f"### File List\n\n{files}\n## Change Log\n\n| Date | Version | Description | Author |\n"
        f"|---|---|---|---|\n| 2026-01-{n:02} | 0.1 | First draft | Iris |\n"
        f"| 2026-02-{n:02} | 1.0 | Reviewed | Noor |\n"
    )


def _gate(epic: _Epic, story: int) -> str:
    verdict = "FAIL" if (epic.number * GATES + story) % 29 == 0 else "PASS"
    issues = "".join(
        f'  - id: "TEST-{n:03}"\n    severity: low\n    finding: "Part {n} is slow"\n'
        for n in range(1, 6)
    )
    return (
        f'schema: 1\nstory: "{epic.number}.{story}"\nstory_title: "{epic.word} part {story}"\n'
        f'gate: {verdict}\nstatus_reason: "All criteria were looked at."\nreviewer: "Quinn"\n'
        f"updated: 2026-02-{story:02}T10:00:00Z\ntop_issues:\n{issues}quality_score: 90\n"
    )


def _decision_path(number: int) -> str:
    return f"docs/adr/{number:04}-keep-the-{WORDS[number % len(WORDS)]}.md"


def _decision(epic: _Epic, number: int) -> str:
    gone = "\nSee also [the plan](../plans/gone.md).\n" if number % 19 == 0 else ""
    return (
        f"# {number}. Keep the {WORDS[number % len(WORDS)]}\n\nDate: 2026-01-10\n\n"
        f"## Status\n\nAccepted\n\n## Context\n\n{epic.prose(18)}"
        f"## Decision\n\n{epic.prose(10)}{gone}## Consequences\n\n{epic.prose(10)}"
    )


def _sprint_status(epics: list[_Epic]) -> str:
    lines = []
    for epic in epics:
        lines.append(f"  epic-{epic.number}: {'done' if epic.number % 4 else 'in-progress'}")
        for n in range(1, STORIES + 1):
            state = {"Done": "done", "Draft": "drafted", "In Progress": "in-progress"}
            told = state.get(epic.state(n), "review")
            lines.append(f"  {epic.number}-{n}-{epic.word}-part-{n}: {told}")
    return "generated: 2026-03-01\nproject: invented\n\ndevelopment_status:\n" + "\n".join(lines)
