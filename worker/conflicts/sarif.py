"""Findings as SARIF 2.1.0, which code scanning and editors read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from worker.conflicts.base import Rule
from worker.conflicts.model import Evidence, Finding, Fix

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "%SRCROOT%"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}

Json = Mapping[str, Any]
LineOf = Callable[[str, int], str | None]


def sarif(
    findings: Sequence[Finding],
    known: Collection[str],
    rules: Sequence[Rule],
    line_of: LineOf = lambda path, number: None,
) -> Json:
    """A log of one run. `known` are the fingerprints that a baseline accepts.

    `line_of` gives a line of a document; a fix of a part of a line is told only where it is known.
    """
    by_code = {rule.code: rule for rule in rules}
    places = {code: index for index, code in enumerate(by_code)}
    driver = {
        "name": "Switchyard",
        "rules": [_rule(rule) for rule in by_code.values()],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "switchyard/conflicts/"},
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "invocations": [{"executionSuccessful": True}],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(f, places[f.code], f.fingerprint in known) | _fixes(f.fix, line_of)
            for f in findings
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> Json:
    allow = f"<!-- conflict-ok: {rule.code} why it is meant to be so -->"
    how = "If it is meant to be so, say it in one of the documents:"
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {
            "text": f"{rule.summary} {how} {allow}",
            "markdown": f"{rule.summary}\n\n{how}\n\n```markdown\n{allow}\n```\n",
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"precision": rule.confidence, "tags": ["documentation", rule.name]},
    }


def _result(finding: Finding, place: int, known: bool) -> dict[str, Any]:
    first, *others = finding.evidence
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": place,
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [_location(first)],
        # The second name is the one that GitHub tells alerts apart by.
        "partialFingerprints": {
            "switchyard/v1": finding.fingerprint,
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
        },
        # Empty, not absent, where there are none: absent would mean that nobody knows.
        "suppressions": _suppressions(finding, known),
        "properties": {"confidence": finding.confidence, "key": finding.key},
    }
    if others:
        result["relatedLocations"] = [
            _location(side) | {"id": number, "message": {"text": side.quote or side.path}}
            for number, side in enumerate(others, 1)
        ]
    return result


def _message(finding: Finding) -> str:
    parts = [finding.message]
    if finding.expected:
        parts.append(f"Expected: {finding.expected}.")
    if finding.actual:
        parts.append(f"Actual: {finding.actual}.")
    if finding.fix and finding.fix.kind == "rename":
        parts.append(f"Rename {finding.fix.path} to {finding.fix.replacement}.")
    return " ".join(parts)


def _location(side: Evidence) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": max(side.line, 1)}
    if side.end_line:
        region["endLine"] = max(side.end_line, side.line)
    if side.quote:
        region["snippet"] = {"text": side.quote}
    return {"physicalLocation": {"artifactLocation": _file(side.path), "region": region}}


def _suppressions(finding: Finding, known: bool) -> list[Json]:
    answer: list[Json] = []
    if finding.suppressed is not None:
        answer.append({"kind": "inSource", "justification": finding.suppressed})
    if known:
        answer.append({"kind": "external", "justification": "accepted in the baseline file"})
    return answer


def _fixes(fix: Fix | None, line_of: LineOf) -> dict[str, Any]:
    if fix is None or fix.kind != "edit" or fix.line is None:
        return {}
    columns = _columns(fix.original, line_of(fix.path, fix.line)) if fix.original else {}
    if columns is None:
        return {}
    replacement = {
        # Without columns: all of the line, its end not included.
        "deletedRegion": {"startLine": fix.line, "endLine": fix.line} | columns,
        "insertedContent": {"text": fix.replacement},
    }
    change = {"artifactLocation": _file(fix.path), "replacements": [replacement]}
    words = f"Replace {fix.original or f'line {fix.line}'} with {fix.replacement}."
    return {"fixes": [{"description": {"text": words}, "artifactChanges": [change]}]}


def _columns(original: str, line: str | None) -> dict[str, int] | None:
    """Where in the line the words are; None unless they are there exactly once."""
    if line is None or line.count(original) != 1:
        return None
    start = line.index(original) + 1
    return {"startColumn": start, "endColumn": start + len(original)}


def _file(path: str) -> Json:
    return {"uri": quote(path), "uriBaseId": ROOT}
