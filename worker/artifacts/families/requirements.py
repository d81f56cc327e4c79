"""Requirements that carry a code of their own, such as FR-001."""

import re
from collections.abc import Iterator

from worker.artifacts import items
from worker.artifacts.families.mentions import unmarked
from worker.artifacts.markdown import Document
from worker.artifacts.model import Criterion

_CODE = re.compile(r"\*{0,2}\[?([A-Z][A-Z0-9]{0,9}-\d{1,4}[a-z]?)\]?\*{0,2}\s?[:\u2013\u2014-]")


def coded(document: Document) -> Iterator[Criterion]:
    """The list items that begin with a code, wherever they stand."""
    for item in items.read(enumerate(document.lines, 1)):
        code = _CODE.match(item.text)
        if code:
            text = unmarked(item.text[code.end() :])
            yield Criterion(n=code[1], text=text, line=item.line, checked=item.checked)
