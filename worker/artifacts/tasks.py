"""Checkbox tasks and the criteria they refer to."""

import re
from collections.abc import Iterable
from itertools import islice

from worker.artifacts import items
from worker.artifacts.markdown import Document, plain
from worker.artifacts.model import Task
from worker.artifacts.text import MAX_ITEMS

TASKS = re.compile(r"(?:sub|dev |development |implementation )?tasks?\b|todos?\b")
ACTIONS = re.compile(r"action items?\b|actions\b|next steps?\b|follow ups?\b|tasks?\b|todos?\b")
DELIVERABLES = re.compile(
    r"tasks?\b|todos?\b|deliverables?\b|scope\b|goals?\b|exit criteria\b|success criteria\b"
)
_NUMBER = re.compile(
    r"(?:(?:sub)?task\s{1,2}|T(?=\d))?(\d{1,4}(?:\.\d{1,4})*[a-z]?)(?:[:.)]\s*|\s+-\s+|\s)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\bACs?(?:[ :#]|-(?=\d)){0,4}(\d{1,3}(?:\.\d{1,2})?[a-z]?\b"
    r"(?:\s{0,2}(?:[-\u2013,&+/]|and|to)\s{0,2}(?:AC[ :#-]{0,3})?#?\d{1,3}(?:\.\d{1,2})?[a-z]?\b)*)"
)
_PART = re.compile(r"([-\u2013]|to)?\s{0,2}(?:AC[ :#-]{0,3})?#?(\d{1,3}(?:\.\d{1,2})?[a-z]?)\b")
_LONGEST_RANGE = 100


def read(document: Document, announced_by: re.Pattern[str] = TASKS) -> tuple[Task, ...]:
    """The boxes under the headings whose key begins with `announced_by`, at most MAX_ITEMS."""
    return tuple(islice(_read(document, announced_by), MAX_ITEMS))


def criteria_named(text: str) -> tuple[str, ...]:
    """The `n` of every criterion that `text` names: "(AC: 1, 3-5)" gives 1, 3, 4 and 5."""
    found: dict[str, None] = {}
    for reference in _REFERENCE.finditer(text):
        found.update(dict.fromkeys(_expand(reference[1])))
    return tuple(found)


def _read(document: Document, announced_by: re.Pattern[str]) -> Iterable[Task]:
    done_until = 0
    for heading in document.headings:
        if heading.line < done_until or not announced_by.match(heading.key):
            continue
        done_until = heading.end
        yield from _boxes(document.body(heading))


def _boxes(lines: Iterable[tuple[int, str]]) -> Iterable[Task]:
    open_indents: list[int] = []
    for item in items.read(lines):
        while open_indents and open_indents[-1] >= item.indent:
            open_indents.pop()
        if item.checked is None:
            continue
        yield _task(item, level=len(open_indents))
        open_indents.append(item.indent)


def _task(item: items.Item, level: int) -> Task:
    text = plain(item.text)
    number = _NUMBER.match(text)
    return Task(
        n=number[1] if number else None,
        text=text[number.end() :] if number else text,
        done=bool(item.checked),
        acs=criteria_named(text) if "AC" in text else (),
        line=item.line,
        level=level,
    )


def _expand(reference: str) -> Iterable[str]:
    last = ""
    for dash, number in _PART.findall(reference):
        if dash and last.isdigit() and number.isdigit():
            stop = min(int(number), int(last) + _LONGEST_RANGE)
            yield from map(str, range(int(last) + 1, stop + 1))
        else:
            yield number
        last = number
