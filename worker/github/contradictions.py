"""The report on conflicts: which documents contradict each other, in the words of a check run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from worker.github.markdown import code, cut, escaped, line, shortened
from worker.github.record import Conflict, Conflicts
from worker.github.shown import Annotation, Conclusion, Level, Shown, completed

_LEVELS: dict[str, Level] = {"error": "failure", "warning": "warning", "info": "notice"}
_LONGEST_TITLE = 200
_LONGEST_MESSAGE = 8_000
_LONGEST_QUOTE = 1_000


def show_conflicts(conflicts: Conflicts) -> Shown:
    """What was found on the branch: failed if there are errors that were not there before."""
    open_ones = [c for c in conflicts.found if not c.finding.get("suppressed")]
    if not open_ones:
        return _nothing(conflicts, len(conflicts.found))
    return Shown(
        "completed",
        _title(open_ones),
        cut("\n".join(_summary(conflicts, open_ones))),
        _conclusion(conflicts, open_ones),
        None,
        tuple(a for c in open_ones for a in _annotations(c)),
    )


def _conclusion(conflicts: Conflicts, found: Sequence[Conflict]) -> Conclusion:
    if any(c.new and c.finding.get("severity") == "error" for c in found):
        return "failure"
    serious = any(c.finding.get("severity") in ("error", "warning") for c in found)
    return "neutral" if serious or not conflicts.current else "success"


def _nothing(conflicts: Conflicts, suppressed: int) -> Shown:
    if not conflicts.current:
        return completed(
            "neutral",
            "a newer commit was compared",
            "The branch went on before this commit's documents were compared by themselves. "
            "Nothing that is known to have come with this commit contradicts anything.",
        )
    allowed = f" Conflicts that the documents allow: {suppressed}." if suppressed else ""
    return completed("success", "no conflicts", f"The documents agree with each other.{allowed}")


def _title(found: Sequence[Conflict]) -> str:
    counts = Counter(_counted(c) for c in found)
    order = [(s, n) for s in ("error", "warning", "info") for n in (True, False)]
    parts = [_number(counts[key], *key) for key in order if counts[key]]
    return ", ".join(parts)


def _counted(conflict: Conflict) -> tuple[str, bool]:
    return str(conflict.finding.get("severity")), conflict.new


def _number(count: int, severity: str, new: bool) -> str:
    word = {"error": "error", "warning": "warning", "info": "remark"}[severity]
    return f"{count} {'new ' if new else ''}{word}{'' if count == 1 else 's'}"


def _summary(conflicts: Conflicts, found: Sequence[Conflict]) -> Iterable[str]:
    if conflicts.branch:
        yield f"On branch {code(conflicts.branch)}:\n"
    if not conflicts.current:
        yield "The branch went on: only what came with this commit is shown.\n"
    for conflict in sorted(found, key=lambda c: not c.new):
        yield from _paragraph(conflict)


def _paragraph(conflict: Conflict) -> Iterable[str]:
    finding = conflict.finding
    new = "new " if conflict.new else ""
    yield f"- **{new}{finding.get('severity')} {escaped(str(finding.get('code')))}**: {escaped(str(finding.get('message')))}"  # noqa: E501
    for evidence in finding.get("evidence") or ():
        quote = shortened(str(evidence.get("quote") or ""), _LONGEST_QUOTE)
        yield f"  - {code(_where(evidence))} {code(quote)}".rstrip()


def _annotations(conflict: Conflict) -> Iterable[Annotation]:
    """One at every line that the finding cites, as either document may be the one that changed."""
    finding = conflict.finding
    title = line(f"{finding.get('code')} {finding.get('name')}", _LONGEST_TITLE)
    level = _LEVELS.get(str(finding.get("severity")), "warning")
    message = shortened("\n".join(_message(finding)), _LONGEST_MESSAGE)
    seen: set[tuple[str, int]] = set()
    for evidence in finding.get("evidence") or ():
        first = max(1, int(evidence.get("line") or 1))
        place = (str(evidence["path"]), first)
        if place not in seen:
            seen.add(place)
            last = max(first, int(evidence.get("endLine") or first))
            yield Annotation(place[0], first, last, level, title, message)


def _message(finding: Mapping[str, Any]) -> Iterable[str]:
    yield str(finding.get("message"))
    for evidence in finding.get("evidence") or ():
        yield f"{_where(evidence)}: {shortened(str(evidence.get('quote') or ''), _LONGEST_QUOTE)}"
    for title, key in (("Expected", "expected"), ("Found", "actual")):
        if finding.get(key):
            yield f"{title}: {finding[key]}"


def _where(evidence: Mapping[str, Any]) -> str:
    return f"{evidence.get('path')}:{evidence.get('line')}"
