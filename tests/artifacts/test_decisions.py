"""Decisions: Nygard, MADR and kin; numbers, statuses, supersession."""

import pytest

from tests.artifacts.documents import codes, record, stored
from worker.artifacts import parse

BODY = "\n## Context\n\nWe must.\n\n## Decision\n\nWe will.\n"


def test_a_nygard_decision() -> None:
    decision = stored("0012-keep-money-in-cents.md")
    assert (decision.id, decision.kind, decision.subtype) == ("0012", "adr", "nygard")
    assert (decision.title, decision.dates.created) == ("Keep money in cents", "2024-06-03")
    assert decision.status is not None
    assert decision.status.normalized == "accepted"
    assert decision.status.raw == (
        "Accepted (lazy consensus)\n"
        "Supersedes [7. Keep money in floats](0007-keep-money-in-floats.md)\n"
        "Superseded by [31. Keep money in a decimal type](0031-decimal-type.md)"
    )
    assert (decision.supersedes, decision.superseded_by) == (("0007",), ("0031",))


def test_a_madr_4_decision() -> None:
    decision = stored("0003-pick-a-queue.md")
    assert (decision.id, decision.subtype, decision.title) == ("0003", "madr", "Pick a queue")
    assert decision.status is not None
    assert (decision.status.normalized, decision.status.line) == ("superseded", 2)
    assert (decision.superseded_by, decision.owner) == (("0009",), "Ada, Grace")
    assert decision.dates.created == "2024-13-45"


@pytest.mark.parametrize(
    ("head", "normalized"),
    [
        ("- Status: accepted\n- Date: 2024-01-02\n", "accepted"),
        ("* Status: **Implemented (Swift 5.1)**\n", "implemented"),
        ("**Status:** Proposed\n", "proposed"),
        ("Status: rejected\n", "rejected"),
        ("## Status: Deprecated\n", "deprecated"),
        ("Status\n------\n\nAccepted\n", "accepted"),
        ("- Status: superseded by [x](0009-x.md)\n", "superseded"),
    ],
)
def test_where_a_status_is_carried(head: str, normalized: str) -> None:
    status = record("docs/adr/0001-x.md", f"# 1. X\n\n{head}" + BODY).status
    assert status is not None
    assert status.normalized == normalized


@pytest.mark.parametrize(
    ("path", "heading", "expected"),
    [
        ("docs/adr/0001-x.md", "# 1. X", "0001"),
        ("docs/adr/0001-x.md", "# X", "0001"),
        ("docs/adr/adr-007-x.md", "# ADR-007: X", "0007"),
        ("docs/adr/ADR_0007_x.md", "# X", "0007"),
        ("adr-12.md", "# X", "0012"),
        ("docs/architecture/decisions/x.md", "# ADR 3 - X", "0003"),
        ("docs/adr/20201028-use-x.md", "# X", "20201028-use-x"),
        ("docs/adr/2020-10-28-use-x.md", "# X", "2020-10-28-use-x"),
        ("docs/decisions/use-x.md", "# X", "use-x"),
    ],
)
def test_numbers(path: str, heading: str, expected: str) -> None:
    decision = record(path, heading + "\n" + BODY)
    assert (decision.id, decision.title, decision.warnings) == (expected, "X", ())


def test_a_heading_that_contradicts_the_file_is_flagged() -> None:
    assert codes(record("docs/adr/0002-x.md", "# 3. X\n" + BODY)) == ["id_mismatch"]


@pytest.mark.parametrize(
    ("statement", "supersedes", "superseded_by"),
    [
        ("- Status: superseded by ADR-0009\n", (), ("0009",)),
        ("- Status: superseded by [20201028-y](20201028-y.md)\n", (), ("20201028-y",)),
        ("**Supersedes:** ADR-3, ADR-4\n", ("0003", "0004"), ()),
        ("Superseded-By: 12\n", (), ("0012",)),
        ("## Status\n\nAccepted. Supercedes 26\n", ("0026",), ()),
        ("## Status\n\nReplaced by [x](../adr/0005-x.md#top) on 2024-01-02\n", (), ("0005",)),
        ("## Links\n\n* Supersedes [ADR-0003](0003-x.md)\n", ("0003",), ()),
        ("## Notes\n\nADR 8 supersedes ADR 9.\n", (), ()),
        ("## Status\n\nAccepted, see ADR 9\n", (), ()),
    ],
)
def test_supersession(
    statement: str, supersedes: tuple[str, ...], superseded_by: tuple[str, ...]
) -> None:
    decision = record("docs/adr/0001-x.md", f"# 1. X\n\n{statement}" + BODY)
    assert (decision.supersedes, decision.superseded_by) == (supersedes, superseded_by)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("overview.md", "# Our decisions\n\n- [one](0001-x.md)\n"),
        ("0000-template.md", "# Title\n" + BODY),
        ("0000-x.md", "# {short title, representative of solution}\n" + BODY),
        ("0000-y.md", "# [short title of solved problem and solution]\n" + BODY),
        ("0000-z.md", "# NUMBER. {{TITLE}}\n" + BODY),
    ],
)
def test_what_lies_among_decisions_is_none(name: str, text: str) -> None:
    assert parse(f"docs/adr/{name}", "b", text.encode()) is None


def test_a_decision_about_templates_is_one() -> None:
    assert record("docs/adr/0007-use-a-template.md", "# 7. Use a template\n" + BODY).id == "0007"
