"""The scanner: what is hidden, what is a heading, and what a full parser says."""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.artifacts.documents import DOCUMENTS, codes, record
from worker.artifacts import items
from worker.artifacts.markdown import Document, scan
from worker.artifacts.model import Link
from worker.artifacts.text import Text

PATH = "docs/stories/1.1.story.md"
HIDDEN = "# Story 9.9: No\n**Status:** Done\n- [x] no\n[no](no.md)\n"


def scanned(text: str) -> Document:
    return scan(Text(text.split("\n")), frozenset({"status"}))


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("```\n", "```\n"),
        ("```markdown\n", "```\n"),
        ("~~~~\n```\n~~~\n", "~~~~~\n"),
        ("   ```\n", "  ```  \n"),
        ("- item\n\n  ```\n", "  ```\n"),
        ("> ```\n", "> ```\n"),
        ("`````\n````\n", "`````\n"),
        ("<!--\n", "-->\n"),
        ("<!-- a --> <!-- b\n", "c -->\n"),
        ("before <!-- a\n", "-->\n"),
        ("`<!--` <!--\n", "-->\n"),
    ],
)
def test_what_is_hidden(opening: str, closing: str) -> None:
    text = f"# Story 1.1: Yes\n\n## Tasks\n\n{opening}{HIDDEN}{closing}\nStatus: Draft\n- [ ] yes\n"
    story = record(PATH, text)
    assert (story.id, story.status and story.status.raw) == ("1.1", "Draft")
    assert [task.text for task in story.tasks] == ["yes"]
    assert (story.links, story.warnings) == ((), ())


@pytest.mark.parametrize(
    "opening", ["``` a `b` c\n", "``\n", "`<!--`\n", "<!-- never closed\n", "a <!-- b --> c\n"]
)
def test_what_hides_nothing(opening: str) -> None:
    story = record(PATH, f"# Story 1.1: Yes\n\n{opening}\nStatus: Draft\n")
    assert story.status is not None
    assert story.warnings == ()


def test_an_unclosed_block_hides_the_rest_and_is_flagged() -> None:
    story = record(PATH, "# Story 1.1: Yes\n\n```\nStatus: Draft\n")
    assert (story.status, codes(story), story.warnings[0].line) == (None, ["unclosed_fence"], 3)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("see [a](b.md)", [("b.md", None)]),
        ("see [a](b.md#c) and ![d](e.png)", [("b.md", "c"), ("e.png", None)]),
        ('see [a](b.md "a title")', [("b.md", None)]),
        ("see [a](<b c.md>)", [("b c.md", None)]),
        ("see [a](b_(c).md)", [("b_(c).md", None)]),
        ("see [a](#here)", [("", "here")]),
        ("see [a](https://example.com/x?y=1#z)", [("https://example.com/x?y=1", "z")]),
        ("[a]: b.md", [("b.md", None)]),
        ("[^1]: a footnote", []),
        ("- x [Source: architecture/b.md#c]", [("architecture/b.md", "c")]),
        ("see `[a](b.md)` and [c](d.md)", [("d.md", None)]),
        ("an odd ` tick [c](d.md)", [("d.md", None)]),
        ("see [a]()", []),
        ("array[0](x y)", [("x", None)]),
    ],
)
def test_links(line: str, expected: list[tuple[str, str | None]]) -> None:
    found = scanned(f"# T\n\n{line}").links
    cited = "[Source:" in line
    assert found == [Link(target=t, anchor=a, line=3, cited=cited) for t, a in expected]


def test_front_matter_that_is_not_yaml_is_read_line_by_line() -> None:
    story = record(PATH, "---\nstatus: done\ntitle: a: b: c\n---\n# Story 1.1: X\n")
    assert story.status is not None
    assert (story.status.normalized, codes(story)) == ("done", ["front_matter"])


@pytest.mark.parametrize("text", ["---\nStatus: Done\n", "---\n\nprose\n\n---\nStatus: Done\n"])
def test_a_rule_at_the_top_is_no_front_matter(text: str) -> None:
    story = record(PATH, text)
    assert story.status is not None
    assert (story.status.normalized, story.warnings) == ("done", ())


def test_a_bomb_of_aliases_is_not_expanded() -> None:
    bomb = "a0: &a0 [x,x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1},*a{n - 1}]\n" for n in range(1, 40))
    story = record(PATH, f"---\n{bomb}status: done\n---\n# Story 1.1: X\n")
    assert story.status is not None
    assert (story.status.normalized, codes(story)) == ("done", ["front_matter"])


ORDINARY = """\
# One

Two
===

Three
-----

## Four ##

####### not a heading

#not one either

para one
para two

- - -

1. first
---

- [ ] open
- [x] done
  - [X] nested
    * [ ] deeper
+ [ ] plus
1. [x] ordered
2) [ ] other

text
# Five
| a | b |
|---|---|
| c | d |

> # quoted

    # indented code

```text
# fenced
- [ ] fenced
```

   ### Six `code` and **bold**

######
"""


@pytest.mark.parametrize(
    "text",
    [ORDINARY, *(p.read_text(encoding="utf-8") for p in sorted(DOCUMENTS.glob("*.md")))],
    ids=["ordinary", *(p.name for p in sorted(Path(DOCUMENTS).glob("*.md")))],
)
def test_headings_and_boxes_are_those_of_a_full_parser(text: str) -> None:
    document = scanned(text)
    blanked = _without_front_matter(text)
    assert [(h.line, h.level) for h in document.headings] == _headings(blanked)
    boxes = [
        (item.line, item.checked)
        for item in items.read(enumerate(document.lines, 1))
        if item.checked is not None
    ]
    assert boxes == _boxes(blanked)


def _without_front_matter(text: str) -> str:
    if not text.startswith("---\n"):
        return text
    block, rest = text.split("\n---\n", 1)
    return "\n" * (block.count("\n") + 2) + rest


def _headings(text: str) -> list[tuple[int, int]]:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return [
        (token.map[0] + 1, int(token.tag[1]))
        for token in tokens
        if token.type == "heading_open" and token.map and not _is_quoted(text, token.map[0])
    ]


def _is_quoted(text: str, index: int) -> bool:
    return text.split("\n")[index].startswith(">")


def _boxes(text: str) -> list[tuple[int, bool]]:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return [
        (inline.map[0] + 1, inline.content[1] in "xX")
        for item, _, inline in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if item.type == "list_item_open"
        and inline.map
        and inline.content[:4] in ("[ ] ", "[x] ", "[X] ")
    ]
