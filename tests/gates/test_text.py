"""Output made fit to be stored and shown."""

import time

import pytest

from worker.gates.text import MAX_LOG, log_of, message, plain, telling_line


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            b"\x1b[1;31mred\x1b[0m and \x1b]8;;http://a\x07link\x1b]8;;\x1b\\ plain",
            "red and link plain",
        ),
        (b"10 %\r50 %\rdone\r\nnext\r\n", "done\nnext\n"),
        (b"a\0b\x07c\td", "abc\td"),
        (b"caf\xc3\xa9 \xff", "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{REPLACEMENT CHARACTER}"),
        ("a\ud800b", "ab"),
        ("\x9b31m", "31m"),
        ("", ""),
    ],
)
def test_control_characters_go(data: bytes | str, text: str) -> None:
    assert plain(data) == text


def test_the_last_part_is_kept_from_the_start_of_a_line() -> None:
    text = "\n".join(f"line {n}" for n in range(20_000)) + "\n"
    log = log_of(text)
    assert MAX_LOG - 20 < len(log) <= MAX_LOG
    assert log.startswith("line ")
    assert log.endswith("\nline 19999")


def test_a_line_without_end_is_cut_between_characters() -> None:
    log = log_of("\N{EURO SIGN}" * MAX_LOG)
    assert len(log.encode()) <= MAX_LOG
    assert set(log) == {"\N{EURO SIGN}"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("fine\nerror TS1: bad\n  in a.ts\n\nnpm error code 2\n", "error TS1: bad"),
        ("first\nlast  words\n----\n ELIFECYCLE  Command failed.\n", "last words"),
        ("make[1]: *** [lint] Error 3\n", ""),
        ("", ""),
    ],
)
def test_the_line_that_tells_most(text: str, line: str) -> None:
    assert telling_line(text) == line


@pytest.mark.parametrize("unit", ["a", "\r", "\n", "\x1b", "\x1b[", "\x1b]", "\x1b]a\r", " ", "\0"])
def test_it_takes_linear_time(unit: str) -> None:
    began = time.process_time()
    text = plain(unit * (2_000_000 // len(unit)))
    log_of(text)
    telling_line(text)
    message(text)
    assert time.process_time() - began < 3.0
