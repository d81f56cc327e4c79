"""Findings that a repository has accepted, kept in a file beside its documents."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from worker.artifacts.model import Record
from worker.conflicts.model import Finding
from worker.errors import InvalidInput

NAME = ".switchyard-baseline.json"


class Accepted(Record):
    """One finding; code and message are for those who read the file."""

    fingerprint: str
    code: str
    message: str


class Baseline(Record):
    """The file: sorted, one entry for each finding, so that its changes are easy to review."""

    version: Literal[1] = 1
    findings: tuple[Accepted, ...] = ()

    @property
    def fingerprints(self) -> frozenset[str]:
        return frozenset(accepted.fingerprint for accepted in self.findings)


def baseline_of(findings: Iterable[Finding]) -> Baseline:
    """A baseline that accepts the findings, but for those that a document allows anyway."""
    accepted = {
        (f.code, f.message, f.fingerprint): Accepted(
            fingerprint=f.fingerprint, code=f.code, message=f.message
        )
        for f in findings
        if f.suppressed is None
    }
    return Baseline(findings=tuple(accepted[place] for place in sorted(accepted)))


def read_baseline(path: Path) -> Baseline | None:
    """The baseline in a file; None if there is no such file. Raises InvalidInput for any other."""
    try:
        return Baseline.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"the baseline {path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "it"
        hint = "write it anew with --update-baseline"
        raise InvalidInput(f"{path} is no baseline: {place}: {problem['msg']}; {hint}") from None


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the file. Raises InvalidInput if that cannot be."""
    content = json.dumps(baseline.model_dump(), indent=2, ensure_ascii=False)
    try:
        path.write_text(f"{content}\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"the baseline {path} cannot be written: {error.strerror}") from None
