"""Random histories of a small repository of documents that often meet, and often disagree."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

from worker.conflicts.base import OwnVerdict

STORIES = ("1.1", "1.2", "1.3", "2.1")
EPICS = ("1", "2")
NUMBERS = (1, 2, 3)
SOURCES = ("src/a.py", "src/B.py", "lib/a.py", "docs/guide.md", "docs/plans/Guide.md")
CODES = ("S1", "Y1", "L1", "*", "G1", "I1", "N1", "F1", "none-such", "P2")
STATES = ("Draft", "In Progress", "Review", "Done", "Done", "Done", "Done", "Dnoe", "Cancelled")
TRACKED = ("backlog", "drafted", "in-progress", "review", "done", "optional", "donne")
DECIDED = ("Proposed", "Accepted", "Superseded", "Superseded by ADR-0002", "Acepted", "Rejected")
LINKS = ("../guide.md", "../plans/guide.md#one", "../../src/a.py", "gone.md", "/docs/guide.md",
         "docs/guide.md", "1.2.thing.story.md", "#tasks", "#nowhere", "src/a.py:12")  # fmt: skip

Tree = Mapping[str, str]
Verdicts = Mapping[str, tuple[OwnVerdict, ...]]


@dataclass(frozen=True)
class Commit:
    """A whole tree, everything that was ever in it, and the verdicts that stand."""

    tree: Tree
    history: frozenset[str]
    verdicts: Verdicts = field(default_factory=dict)


@st.composite
def remarks(draw: st.DrawFn) -> str:
    links = draw(st.lists(st.sampled_from(LINKS), max_size=3))
    allowed = draw(st.lists(st.sampled_from(CODES), max_size=1))
    lines = [f"See [this]({link}).\n" for link in links]
    lines += [f"<!-- conflict-ok: {code} agreed -->\n" for code in allowed]
    return "\n## Notes\n\n" + "".join(draw(st.permutations(lines)))


@st.composite
def stories(draw: st.DrawFn) -> tuple[str, str]:
    number = draw(st.sampled_from(STORIES))
    name = draw(st.sampled_from(("thing", "thing", "other")))
    folder = draw(st.sampled_from(("docs/stories", "docs/stories", "docs/stories/old")))
    heading = draw(st.sampled_from((number, number, number, "1.3")))
    ticks = draw(st.lists(st.booleans(), max_size=5))
    tasks = "".join(
        f"- [{'x' if done else ' '}] Task {n}: Do part {n} (AC: {draw(st.integers(1, 3))})\n"
        for n, done in enumerate(ticks, 1)
    )
    criteria = "".join(f"{n}. Part {n} works.\n" for n in range(1, draw(st.integers(0, 2)) + 1))
    needed = draw(st.lists(st.sampled_from((*STORIES, "9.9")), max_size=2))
    files = draw(st.lists(st.sampled_from((*SOURCES, "src/never.py")), max_size=2))
    day = draw(st.integers(1, 28))
    text = (
        f"# Story {heading}: {name.title()}\n\n## Status\n\n{draw(st.sampled_from(STATES))}\n\n"
        f"## Acceptance Criteria\n\n{criteria}\n## Tasks\n\n{tasks}\n## Dependencies\n\n"
        + "".join(f"- Story {other}\n" for other in needed)
        + "\n### File List\n\n"
        + "".join(f"- `{path}` (NEW)\n" for path in files)
        + "\n## Change Log\n\n| Date | Version | Description | Author |\n|---|---|---|---|\n"
        f"| 2026-01-15 | 1 | First | A |\n| 2026-01-{day:02} | 2 | Next | B |\n"
        f"| 2026-01-20 | 3 | Last | A |\n"
    )
    return f"{folder}/{number}.{name}.story.md", text + draw(remarks())


@st.composite
def epics(draw: st.DrawFn) -> tuple[str, str]:
    number, state = draw(st.sampled_from(EPICS)), draw(st.sampled_from(STATES))
    listed = "".join(f"### Story {s}: Thing\n\n" for s in STORIES if s.startswith(number))
    text = f"# Epic {number}: Things\n\n**Status:** {state}\n\n## Stories\n\n{listed}"
    return f"docs/epics/epic-{number}-things.md", text + draw(remarks())


@st.composite
def gates(draw: st.DrawFn) -> tuple[str, str]:
    number = draw(st.sampled_from((*STORIES, "7.7")))
    named = draw(st.sampled_from((number, number, "1.1")))
    verdict = draw(st.sampled_from(("PASS", "FAIL", "CONCERNS", "", "MAYBE")))
    allowed = draw(st.sampled_from(("", "# conflict-ok: G1 agreed\n", "# conflict-ok: G2 no\n")))
    folder = draw(st.sampled_from(("docs/qa/gates", "docs/qa/gates/old")))
    text = f'schema: 1\nstory: "{named}"\ngate: {verdict}\nupdated: 2026-01-0{draw(digits)}\n'
    return f"{folder}/{number}-thing.yml", text + allowed


@st.composite
def decisions(draw: st.DrawFn) -> tuple[str, str]:
    number, name = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(("cents", "queues")))
    replaces = draw(st.sampled_from(("", "", "\nSupersedes ADR-0001\n", "\nSupersedes ADR-0009\n")))
    text = f"# {number}. Keep {name}\n\n## Status\n\n{draw(st.sampled_from(DECIDED))}\n{replaces}"
    return f"docs/adr/{number:04}-{name}.md", f"{text}\n## Context\n\nX.\n" + draw(remarks())


@st.composite
def proposals(draw: st.DrawFn) -> tuple[str, str]:
    number, other = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from((*NUMBERS, 9)))
    status = draw(st.sampled_from(("Draft", "Final", "Stagnant", "Withdrawn", "Fianl")))
    requires = draw(st.sampled_from(("", f"requires: {other}\n")))
    head = f"eip: {number}\ntitle: Thing\nstatus: {status}\ntype: Standards Track\n{requires}"
    return f"EIPS/eip-{number}.md", f"---\n{head}created: 2026-01-01\n---\n\n## Abstract\n\nX.\n"


@st.composite
def sprints(draw: st.DrawFn) -> tuple[str, str]:
    keys = [f"epic-{epic}" for epic in EPICS]
    keys += [f"{story.replace('.', '-')}-thing" for story in (*STORIES, "2.2")]
    lines = [f"  {key}: {draw(st.sampled_from(TRACKED))}\n" for key in keys if draw(st.booleans())]
    return "docs/sprint-status.yaml", "development_status:\n" + "".join(lines)


digits = st.integers(1, 9)
documents = st.one_of(
    stories(), stories(), stories(), epics(), gates(), decisions(), proposals(), sprints(),
    st.tuples(st.sampled_from(SOURCES), st.sampled_from(("pass\n", "# One\n"))),
)  # fmt: skip
verdicts = st.builds(
    OwnVerdict,
    st.sampled_from(("lint", "unit-tests")),
    st.sampled_from(("fail", "fail", "pass", "vacuous")),
    st.just("c0ffee"),
    st.just("2026-01-01T00:00:00Z"),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Commit]:
    """Commits, each of which adds, changes, moves and removes some files, or brings a verdict."""
    tree = dict(draw(st.lists(documents, min_size=2, max_size=10)))
    commits = [Commit(tree, frozenset(tree))]
    for _ in range(draw(st.integers(1, 5))):
        commits.append(draw(_next(commits[-1])))
    return commits


@st.composite
def _next(draw: st.DrawFn, last: Commit) -> Commit:
    tree, standing = dict(last.tree), dict(last.verdicts)
    for path in draw(st.lists(st.sampled_from(sorted(tree)), max_size=2)) if tree else ():
        text = tree.pop(path, None)
        if text is not None and draw(st.booleans()):
            tree[draw(st.sampled_from(sorted({*last.history, path, "docs/stories/9.9.x.md"})))] = (
                text
            )
    tree |= dict(draw(st.lists(documents, max_size=2)))
    for story in draw(st.lists(st.sampled_from(STORIES), max_size=1)):
        standing[story] = (draw(verdicts),)
    return Commit(tree, last.history | frozenset(tree), standing)
