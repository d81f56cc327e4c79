"""The report on a gate: what its evaluation says, in the words of a check run."""

from collections.abc import Iterable, Mapping
from typing import Any

from worker.github.markdown import code, cut, escaped, line, shortened, tail_block
from worker.github.record import Gate
from worker.github.shown import Annotation, Conclusion, Level, Shown, completed

CONCLUSIONS: dict[str, Conclusion] = {
    "pass": "success",
    "fail": "failure",
    "error": "failure",
    "timeout": "timed_out",
    # Neither failed nor proved anything: it must not look like a pass.
    "vacuous": "neutral",
    "not_configured": "skipped",
}
_LEVELS: dict[str, Level] = {"error": "failure", "warning": "warning", "notice": "notice"}
_LONGEST_TITLE = 200
_LONGEST_MESSAGE = 8_000
_MOST_FLAKY = 50


def show_gate(name: str, gate: Gate) -> Shown:
    """A gate that was evaluated, or that waits for somebody's approval."""
    if gate.state == "awaiting_approval":
        return _awaiting(name, gate)
    found, verdict = gate.evaluation, gate.verdict or "error"
    annotations = tuple(_annotations(found.get("diagnostics") or ()))
    log = str(found.get("log") or "")
    return Shown(
        "completed",
        line(f"{verdict.replace('_', ' ')}: {found.get('reason') or name}", _LONGEST_TITLE),
        cut("\n".join(_summary(found, len(annotations)))),
        CONCLUSIONS[verdict],
        tail_block(log) if log.strip() else None,
        annotations,
    )


def _awaiting(name: str, gate: Gate) -> Shown:
    who = f" by {escaped(gate.sender)}" if gate.sender else ""
    return completed(
        "action_required",
        "waiting for approval",
        f"This commit was pushed{who}, whose pushes are not run without approval. Look at it, and "
        f"approve the {escaped(name)} gate in Switchyard to have it run.",
    )


def _summary(found: Mapping[str, Any], annotated: int) -> Iterable[str]:
    yield escaped(str(found.get("reason") or ""))
    yield ""
    for title, value in _facts(found):
        yield f"- {title}: {value}"
    left_out = len(found.get("diagnostics") or ()) - annotated
    if left_out:
        yield f"- Remarks without a place in the repository: {left_out}, see the log"
    if found.get("truncated"):
        yield "- There were more remarks than are shown here"
    flaky = list(found.get("flaky") or ())
    if flaky:
        yield "\nFailed at first and passed when run again:\n"
        yield from (f"- {code(str(test))}" for test in flaky[:_MOST_FLAKY])
        if len(flaky) > _MOST_FLAKY:
            yield f"- and {len(flaky) - _MOST_FLAKY} more"


def _facts(found: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    counts = found.get("counts")
    if counts:
        named = ("total", "passed", "failed", "skipped", "flaky")
        yield "Tests", ", ".join(f"{counts[n]} {n}" for n in named if counts.get(n))
    for title, key in (("Command", "command"), ("Found in", "source")):
        if found.get(key):
            yield title, code(str(found[key]))
    if found.get("exitCode") is not None:
        yield "Exit code", str(found["exitCode"])
    if found.get("durationMs"):
        yield "Took", f"{found['durationMs'] / 1000:.1f} s"
    for name, value in sorted((found.get("environment") or {}).items()):
        yield escaped(str(name)), code(str(value))


def _annotations(diagnostics: Iterable[Mapping[str, Any]]) -> Iterable[Annotation]:
    for found in diagnostics:
        path = str(found.get("path") or "")
        if path and not path.startswith(("/", "../")):
            yield _annotation(path, found)


def _annotation(path: str, found: Mapping[str, Any]) -> Annotation:
    first = max(1, int(found.get("line") or 1))
    last = max(first, int(found.get("endLine") or first))
    return Annotation(
        path,
        first,
        last,
        _LEVELS.get(str(found.get("severity")), "warning"),
        line(str(found.get("rule") or ""), _LONGEST_TITLE),
        shortened(str(found.get("message") or "no message"), _LONGEST_MESSAGE),
        # GitHub takes columns of a single line only.
        found.get("column") if first == last else None,
    )
