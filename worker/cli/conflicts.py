"""`switchyard conflicts`: where a repository's documents contradict each other or its files."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from worker.cli.output import text
from worker.cli.parsers import Commands
from worker.cli.scan import add_source, read_source
from worker.conflicts.baseline import (
    NAME,
    Baseline,
    baseline_of,
    read_baseline,
    write_baseline,
)
from worker.conflicts.checking import ALL_RULES, check
from worker.conflicts.local import Local
from worker.conflicts.model import Evidence, Finding, Fix, Severity
from worker.conflicts.sarif import sarif
from worker.errors import InvalidInput

NEW_CONFLICTS = 1
FAILING = {"error": ("error",), "warning": ("error", "warning"), "never": ()}
WORDS: dict[Severity, str] = {"error": "errors", "warning": "warnings", "info": "remarks"}


@dataclass(frozen=True)
class Report:
    """All that was found in what was asked for; `known` are fingerprints of the baseline."""

    local: Local
    findings: Sequence[Finding]
    known: frozenset[str]
    outdated: int
    remarks: bool

    @property
    def new(self) -> list[Finding]:
        """Those that neither a document nor the baseline accepts."""
        return [
            f for f in self.findings if f.suppressed is None and f.fingerprint not in self.known
        ]


def add_commands(commands: Commands) -> None:
    """One command; its exit code is 1 when there are new errors."""
    help_text = "find where the documents of a repository contradict each other or its files"
    parser = commands.add_parser("conflicts", help=help_text, description=help_text)
    add_source(parser)
    parser.add_argument("--format", choices=("text", "json", "sarif"), default="text")
    parser.add_argument("--remarks", action="store_true", help="show remarks in the text, too")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the answer to a file")
    parser.add_argument("--baseline", type=Path, metavar="FILE",
                        help=f"accepted findings; {NAME} at its root unless given")  # fmt: skip
    parser.add_argument("--update-baseline", action="store_true",
                        help="accept all that is found now, and write the baseline")  # fmt: skip
    parser.add_argument("--fail-on", choices=tuple(FAILING), default="error",
                        help="which new findings make the exit code 1")  # fmt: skip
    parser.set_defaults(run=_conflicts)


def _conflicts(options: argparse.Namespace) -> int:
    local = read_source(options)
    findings = check(local.artifacts, local.world())
    file = options.baseline or local.root / NAME
    if options.update_baseline:
        return _update(file, baseline_of(findings))
    baseline = _baseline(file, given=options.baseline is not None)
    report = _report(local, findings, baseline, options.remarks)
    _write(SHOWN[options.format](report), options.output)
    failing = FAILING[options.fail_on]
    return NEW_CONFLICTS if any(f.severity in failing for f in report.new) else 0


def _update(file: Path, baseline: Baseline) -> int:
    write_baseline(file, baseline)
    print(f"{_count(len(baseline.findings), 'findings')} accepted in {file}")
    return 0


def _baseline(file: Path, given: bool) -> Baseline:
    baseline = read_baseline(file)
    if baseline is None and given:
        raise InvalidInput(f"there is no baseline {file}: write it with --update-baseline")
    return baseline or Baseline()


def _report(local: Local, findings: Sequence[Finding], baseline: Baseline, remarks: bool) -> Report:
    found = {finding.fingerprint for finding in findings}
    asked = [f for f in findings if any(local.within(side.path) for side in f.evidence)]
    outdated = len(baseline.fingerprints - found)
    return Report(local, asked, baseline.fingerprints & found, outdated, remarks)


def _write(answer: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(f"{answer}\n")
        return
    try:
        file.write_text(f"{answer}\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}") from None


def _json(report: Report) -> str:
    findings = [f.model_dump() | {"known": f.fingerprint in report.known} for f in report.findings]
    counts = Counter(finding.severity for finding in report.new)
    new = {severity: counts[severity] for severity in WORDS}
    return orjson.dumps({"commit": report.local.commit, "new": new, "findings": findings}).decode()


def _sarif(report: Report) -> str:
    log = sarif(report.findings, report.known, ALL_RULES, report.local.line)
    return orjson.dumps(log, option=orjson.OPT_INDENT_2).decode()


def _told(report: Report) -> str:
    shown = [f for f in report.new if report.remarks or f.severity != "info"]
    return "\n\n".join([*map(_finding, shown), _summary(report)])


def _finding(finding: Finding) -> str:
    first = finding.evidence[0]
    head = f"{first.path}:{first.line}: {finding.severity} {finding.code} {finding.name}"
    return "\n".join(
        [text(head), *(f"  {' '.join(text(line).split())}" for line in _lines(finding))]
    )


def _lines(finding: Finding) -> Iterator[str]:
    yield finding.message
    yield from map(_side, finding.evidence)
    if finding.expected:
        yield f"expected: {finding.expected}"
    if finding.actual:
        yield f"actual: {finding.actual}"
    if finding.fix:
        yield _fix(finding.fix)


def _side(side: Evidence) -> str:
    return f"{side.path}:{side.line} | {side.quote}"


def _fix(fix: Fix) -> str:
    if fix.kind == "rename":
        return f"fix: rename {fix.path} to {fix.replacement}"
    return f"fix: {fix.path}:{fix.line}: {fix.original or 'the line'} -> {fix.replacement}"


def _summary(report: Report) -> str:
    counts = Counter(finding.severity for finding in report.new)
    parts = [_count(counts[severity], plural) for severity, plural in WORDS.items()]
    if counts["info"] and not report.remarks:
        parts[-1] += " (shown with --remarks)"
    allowed = sum(finding.suppressed is not None for finding in report.findings)
    if allowed:
        parts.append(f"{allowed} allowed by documents")
    if report.known:
        parts.append(f"{len(report.known)} accepted in the baseline")
    if report.outdated:
        parts.append(f"{report.outdated} of the baseline no longer found")
    return ", ".join(parts)


def _count(number: int, plural: str) -> str:
    return f"{number} {plural.removesuffix('s') if number == 1 else plural}"


SHOWN = {"text": _told, "json": _json, "sarif": _sarif}
