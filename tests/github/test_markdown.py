"""Texts within GitHub's limits, which it counts in bytes."""

import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from worker.github.markdown import MOST_BYTES, code, cut, escaped, line, shortened, tail_block

TEXTS = st.text(st.characters(codec="utf-8"))
MARKDOWN = MarkdownIt("commonmark")


def size(text: str) -> int:
    return len(text.encode())


@given(TEXTS | st.text("`\n", max_size=300), st.integers(200, 400))
def test_a_text_is_never_longer_than_allowed(text: str, most: int) -> None:
    assert size(cut(text * 20, most)) <= most
    assert size(tail_block(text * 20, most)) <= most
    assert size(shortened(text * 20, most)) <= most
    assert len(line(text * 20, most)) <= most


def test_what_fits_is_left_as_it_is() -> None:
    assert MOST_BYTES == 65_535
    text = "ę" * (MOST_BYTES // 2)
    assert cut(text) == text
    assert shortened(text, MOST_BYTES) == text


def test_a_long_text_is_cut_at_the_end_of_a_line_with_a_note() -> None:
    text = "".join(f"line {n}: 漢字\n" for n in range(10_000))
    kept = cut(text)
    assert MOST_BYTES - 200 < size(kept) <= MOST_BYTES
    *lines, gap, note = kept.split("\n")
    assert gap == ""
    assert all(re.fullmatch(r"line \d+: 漢字", x) for x in lines)
    assert "left out" in note


def test_of_a_log_the_end_is_kept_whole_lines_of_it() -> None:
    log = "".join(f"line {n}: 漢字\n" for n in range(10_000))
    block = tail_block(log)
    first, note, *lines, last = block.split("\n")
    assert (first, last) == ("```", "```")
    assert "left out" in note
    assert lines[-1] == "line 9999: 漢字"
    assert all(re.fullmatch(r"line \d+: 漢字", x) for x in lines)


@given(st.text(st.sampled_from("`~ \nab#"), max_size=60))
def test_no_log_escapes_from_its_block(log: str) -> None:
    [token] = MARKDOWN.parse(tail_block(log))
    assert token.type == "fence"
    assert token.content.rstrip("\n") == log.rstrip()


@given(st.text(st.sampled_from("`ab \\*"), min_size=1, max_size=30).filter(str.strip))
def test_code_means_itself(text: str) -> None:
    [_, inline, _] = MARKDOWN.parse(f"x {code(text)} y")
    [found] = [t for t in inline.children or [] if t.type == "code_inline"]
    assert found.content.strip() == " ".join(text.split())


@given(st.text(st.sampled_from("`*_[]()<>#!&~|-+.ab1 \\@"), min_size=1, max_size=40))
def test_escaped_text_means_itself(text: str) -> None:
    parsed = MARKDOWN.parse(f"x {escaped(text)}")
    inline = parsed[1]
    kinds = {t.type for t in inline.children or []}
    assert kinds <= {"text", "text_special"}
    shown = "".join(t.content for t in inline.children or []).replace("\u200b", "")
    assert shown.strip() == f"x {' '.join(text.split())}".strip()


def test_nobody_is_called_by_name() -> None:
    assert "@somebody" not in escaped("thanks @somebody")
