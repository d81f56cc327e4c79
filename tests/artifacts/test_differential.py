"""The line scanner against a full CommonMark parser, over generated documents.

Where the two differ on purpose, the last test of this file says how and why.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from worker.artifacts import items
from worker.artifacts.markdown import Document, scan
from worker.artifacts.text import Text

FULL = MarkdownIt("commonmark").enable("table")
words = st.sampled_from(["alpha", "beta gamma", "Ünï", "验收", "x_y", "a*b", "1.2", "C#"])
targets = st.sampled_from(["a.md", "../b/c.md#d", "#here", "https://x.example/?y=1#z", "p_(q).md"])
links = st.builds(lambda text, target: f"[{text}]({target})", words, targets)
images = st.builds(lambda target: f"![i]({target})", targets)
titled = st.builds(lambda target: f'[t]({target} "title")', targets)
angled = st.just("[t](<a b.md>)")
code = st.builds(lambda text: f"`{text}`", st.one_of(words, links))
pieces = st.one_of(words, links, images, titled, angled, code, st.just("**bold**"))
inline = st.lists(pieces, min_size=1, max_size=4).map(" ".join)
indent = st.sampled_from(["", " ", "   "])
inner = st.lists(
    st.sampled_from(
        ["# no", "- [x] no", "[no](no.md)", "", "text", "~~", "``", "===", "---", "> # no", "| a |"]
    ),
    max_size=5,
)


@st.composite
def atx(draw: st.DrawFn) -> str:
    marks = "#" * draw(st.integers(1, 7))
    closing = draw(st.sampled_from(["", " #", " ###", " #x", "\\#"]))
    return f"{draw(indent)}{marks}{draw(st.sampled_from([' ', '  ', '']))}{draw(inline)}{closing}"


@st.composite
def setext(draw: st.DrawFn) -> str:
    line = draw(st.sampled_from(["===", "---", "==", "-----  "]))
    return f"Title {draw(inline)}\n{draw(indent)}{line}"


@st.composite
def fence(draw: st.DrawFn) -> str:
    mark = draw(st.sampled_from(["```", "````", "~~~", "~~~~"]))
    info = draw(st.sampled_from(["", "text", " python", "a b"]))
    closing = mark + draw(st.sampled_from(["", mark[0], "  "]))
    body = draw(inner)
    return "\n".join([f"{draw(indent)}{mark}{info}", *body, closing])


@st.composite
def tasks(draw: st.DrawFn) -> str:
    bullet = draw(st.sampled_from(["-", "*", "+"]))
    lines = []
    depth = 0
    for _ in range(draw(st.integers(1, 6))):
        depth = draw(st.integers(0, depth))
        box = draw(st.sampled_from(["[ ] ", "[x] ", "[X] ", "", "[-] ", "[ ]"]))
        lines.append(f"{'  ' * depth}{bullet} {box}{draw(inline)}")
        depth += 1
    return "\n".join(lines)


@st.composite
def ordered(draw: st.DrawFn) -> str:
    mark = draw(st.sampled_from([".", ")"]))
    count = draw(st.integers(1, 4))
    return "\n".join(f"{n}{mark} [{draw(st.sampled_from(' x'))}] item" for n in range(1, count + 1))


table = st.builds(lambda a, b: f"| {a} | {b} |\n|---|:-:|\n| c | d |", words, links)
quote = st.builds(lambda text: f"> {text}\n> more", inline)
other = st.sampled_from(["---", "* * *", "#hash", "not: key", "    indented", "1986\\. a"])
blocks = st.one_of(atx(), setext(), fence(), tasks(), ordered(), table, quote, other, inline)
documents = st.lists(blocks, max_size=9).map(lambda parts: "x\n\n" + "\n\nx\n\n".join(parts) + "\n")


@settings(deadline=None, max_examples=400)
@given(text=documents)
def test_headings_links_fences_and_boxes_are_those_of_a_full_parser(text: str) -> None:
    document, tokens = scanned(text), FULL.parse(text)
    assert [(h.line, h.level) for h in document.headings] == headings(tokens)
    assert our_links(document) == their_links(tokens)
    assert hidden(document, text) == fenced(tokens, text)
    assert our_boxes(document) == their_boxes(tokens)


def scanned(text: str) -> Document:
    return scan(Text(text.split("\n")), frozenset({"status"}))


def headings(tokens: list[Token]) -> list[tuple[int, int]]:
    return [(t.map[0] + 1, int(t.tag[1])) for t in tokens if t.type == "heading_open" and t.map]


def our_links(document: Document) -> list[str]:
    return sorted(
        link.target + ("" if link.anchor is None else f"#{link.anchor}") for link in document.links
    )


def their_links(tokens: list[Token]) -> list[str]:
    children = [child for token in tokens for child in token.children or ()]
    found = [child.attrs.get("href", child.attrs.get("src")) for child in children]
    return sorted(str(target).replace("%20", " ") for target in found if target is not None)


def hidden(document: Document, text: str) -> set[int]:
    """The lines that hold something and of which we see nothing."""
    pairs = zip(document.lines, text.split("\n"), strict=True)
    return {n for n, (shown, line) in enumerate(pairs, 1) if line.strip() and not shown}


def fenced(tokens: list[Token], text: str) -> set[int]:
    lines = text.split("\n")
    spans = [t.map for t in tokens if t.type == "fence" and t.map]
    return {n + 1 for start, end in spans for n in range(start, end) if lines[n].strip()}


def our_boxes(document: Document) -> list[tuple[int, bool]]:
    found = items.read(enumerate(document.lines, 1))
    return [(item.line, item.checked) for item in found if item.checked is not None]


def their_boxes(tokens: list[Token]) -> list[tuple[int, bool]]:
    return [
        (content.map[0] + 1, content.content[1] in "xX")
        for item, _, content in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if item.type == "list_item_open"
        and content.map
        and content.content[:4] in ("[ ] ", "[x] ", "[X] ")
    ]


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        pytest.param("**Key:** value\n---\n", [], [(1, 2)], id="a rule under a field"),
        pytest.param("two\nlines\n---\n", [], [(1, 2)], id="a heading of two lines"),
        pytest.param("- # a\n", [], [(1, 1)], id="a heading in a list item"),
        pytest.param("> # a\n", [], [(1, 1)], id="a heading in a quotation"),
        pytest.param("<div>\n# a\n</div>\n", [(2, 1)], [], id="inside a block of HTML"),
        pytest.param("a\n-\n", [], [(1, 2)], id="a single dash is an empty item to people"),
        pytest.param("- a\n\n  ```\n# b\n", [], [(4, 1)], id="a fence that its list item ends"),
        pytest.param("- a\n\n      ```\n# b\n", [], [(4, 1)], id="a fence indented as code"),
    ],
)
def test_where_we_differ_on_purpose(
    text: str, ours: list[tuple[int, int]], theirs: list[tuple[int, int]]
) -> None:
    """Documents of record use none of these as CommonMark reads them: a line is what it looks."""
    assert [(h.line, h.level) for h in scanned(text).headings] == ours
    assert headings(FULL.parse(text)) == theirs


def test_a_link_is_read_line_by_line() -> None:
    """A link over two lines is found where its target stands; `[a][b]` by its definition."""
    found = scanned("[over\nlines](a.md)\n\n[a][b]\n\n[b]: c.md\n").links
    assert [(link.target, link.line) for link in found] == [("a.md", 2), ("c.md", 6)]
