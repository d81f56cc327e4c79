"""Dates that cannot be in the order in which they are written."""

import re
from collections.abc import Iterator
from datetime import date

from worker.artifacts.model import Artifact, Change
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Finding
from worker.conflicts.rules.places import document_key

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")


def _dated(artifact: Artifact) -> Iterator[str]:
    """In other kinds the date may be that of an edition, and later than the last small update."""
    if artifact.kind in ("proposal", "story") and artifact.dates.created and artifact.dates.updated:
        yield document_key(artifact)


def _logged(artifact: Artifact) -> Iterator[str]:
    if len(artifact.change_log) > 2:
        yield document_key(artifact)


def _check_dates(group: Group) -> Iterator[Finding]:
    for artifact in group.members:
        created, updated = _date(artifact.dates.created), _date(artifact.dates.updated)
        if created and updated and updated < created:
            yield finding(
                BACKWARDS,
                group,
                message=f"{artifact.id} was last updated on {updated}, before it was created on "
                f"{created}.",
                expected=f"{created} or later",
                actual=str(updated),
                evidence=[evidence(artifact, 1, f"created {created}, updated {updated}")],
            )


def _check_log(group: Group) -> Iterator[Finding]:
    """One change out of a row that otherwise goes up, or down."""
    for artifact in group.members:
        dated = [(day, row) for row in artifact.change_log if (day := _date(row.date))]
        odd = _odd_one(dated)
        if odd:
            day, row = odd
            yield finding(
                LOG,
                group,
                message=f"The change log of {artifact.id} is in order of date but for the row of "
                f"{day}.",
                expected="a date between those of its neighbours",
                actual=str(day),
                evidence=[evidence(artifact, row.line, f"{row.date} {row.description}")],
            )


def _odd_one(dated: list[tuple[date, Change]]) -> tuple[date, Change] | None:
    days = [day for day, _ in dated]
    if len(days) < 3 or _is_ordered(days):
        return None
    for index, odd in enumerate(dated):
        if _is_ordered(days[:index] + days[index + 1 :]):
            return odd
    return None


def _is_ordered(days: list[date]) -> bool:
    return days in (sorted(days), sorted(days, reverse=True))


def _date(written: str | None) -> date | None:
    match = _ISO.match(written or "")
    try:
        return date.fromisoformat(match[0]) if match else None
    except ValueError:
        return None


BACKWARDS = Rule(
    code="D1",
    name="updated-before-created",
    severity="warning",
    confidence="high",
    summary="A document was last updated before it was created.",
    keys=_dated,
    check=_check_dates,
)
LOG = Rule(
    code="D2",
    name="change-log-out-of-order",
    severity="info",
    confidence="medium",
    summary="A row of the change log does not follow the order of the others.",
    keys=_logged,
    check=_check_log,
)
RULES = (BACKWARDS, LOG)
