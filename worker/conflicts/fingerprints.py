"""What a finding is known by from one commit to the next, wherever its lines have moved to."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from worker.conflicts.model import Evidence, Finding

DIGITS = 32
# Bullets, list numbers, checkboxes and heading marks: what renumbering and re-indenting change.
_LEADING = re.compile(r"(?:[-*+>]\s+|\d+[.)]\s+|#{1,6}\s+|\[[ xX]\]\s+)+")


def fingerprint(code: str, key: str, evidence: Iterable[Evidence]) -> str:
    """Hash what is contradicted, free of line numbers, list numbers and white space.

    The key is part of it, so that findings of different groups never meet.
    """
    sides = sorted((side.id, normalized(side.quote)) for side in evidence)
    content = "\0".join([code, key, *(part for side in sides for part in side)])
    return _digest(content)


def normalized(quote: str) -> str:
    """The words of a line, however it is indented, numbered or wrapped."""
    return _LEADING.sub("", " ".join(quote.split()), count=1).strip()


def distinct(findings: Sequence[Finding]) -> list[Finding]:
    """The findings in their order, with repeats of a fingerprint told apart by their number."""
    seen: Counter[str] = Counter()
    answer = []
    for finding in findings:
        number = seen[finding.fingerprint]
        seen[finding.fingerprint] += 1
        answer.append(_numbered(finding, number) if number else finding)
    return answer


def _numbered(finding: Finding, number: int) -> Finding:
    digest = _digest(f"{finding.fingerprint}\0{number}")
    return finding.model_copy(update={"fingerprint": digest})


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()[:DIGITS]
