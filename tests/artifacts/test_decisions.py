"""Decisions: Nygard, MADR and kin; numbers, statuses, supersession."""

import pytest

from tests.artifacts.documents import codes, record, stored, targets
from tests.artifacts.specification import specified
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
    (old,), (new,) = decision.supersedes, decision.superseded_by
    assert (old.kind, old.target, old.line) == ("adr", "0007", 9)
    assert (new.target, new.line) == ("0031", 11)
    assert old.quote == "Supersedes [7. Keep money in floats](0007-keep-money-in-floats.md)"


def test_a_madr_4_decision() -> None:
    decision = stored("0003-pick-a-queue.md")
    assert (decision.id, decision.subtype, decision.title) == ("0003", "madr", "Pick a queue")
    assert decision.status is not None
    assert (decision.status.normalized, decision.status.line) == ("superseded", 2)
    assert (targets(decision.superseded_by), decision.owner) == (("0009",), "Ada, Grace")
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
    assert targets(decision.supersedes) == supersedes
    assert targets(decision.superseded_by) == superseded_by


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


def test_a_log4brains_decision_goes_by_its_slug() -> None:
    decision = specified("log4brains-adr.md")
    assert (decision.id, decision.subtype) == ("20230109-moor-with-ropes", "log4brains")
    assert (decision.owner, decision.identity.in_file) == ("Ada, Grace", None)
    assert decision.status is not None
    assert decision.status.normalized == "superseded"
    assert [(r.target, r.line) for r in decision.supersedes] == [("20220101-moor-with-luck", 23)]
    assert [(r.target, r.line) for r in decision.superseded_by] == [
        ("20240611-moor-with-magnets", 3)
    ]


def test_keys_packed_on_one_line() -> None:
    decision = specified("packed-adr.md")
    assert decision.status is not None
    assert (decision.status.raw, decision.dates.created) == ("Draft", "2025-11-25")
    assert [r.target for r in decision.supersedes] == ["0018", "0019"]
    assert {r.quote for r in decision.supersedes} == {
        "**Status:** Draft **Date:** 2025-11-25 | **Consolidates:** ADR-018 + ADR-019"
    }


def test_a_statement_is_quoted_with_its_line() -> None:
    decision = stored("0012-keep-money-in-cents.md")
    (found,) = decision.superseded_by
    assert (found.kind, found.target, found.line) == ("adr", "0031", 11)
    assert found.quote == "Superseded by [31. Keep money in a decimal type](0031-decimal-type.md)"


def test_both_ids_are_kept() -> None:
    decision = record("docs/adr/0002-x.md", "\n# 3. X\n" + BODY)
    assert (decision.id, decision.identity.in_file, decision.identity.in_document) == (
        "0002",
        "0002",
        "0003",
    )
    assert decision.identity.line == 2


def test_a_later_status_is_not_the_decisions() -> None:
    text = (
        "# 1. X\n\n- Status: accepted\n" + BODY + "\n## Options\n\n- Status: superseded by ADR-4\n"
    )
    decision = record("docs/adr/0001-x.md", text)
    assert decision.status is not None
    assert (decision.status.normalized, decision.superseded_by) == ("accepted", ())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/decisions/overview.md", "# Overview\n\n**Status:** Current\n"),
        ("docs/decisions/modules.md", "# Modules\n\n## Status\n\nPlanned\n"),
        ("docs/adr/0001-x.md", "# 1. X\n\nNothing decided.\n"),
    ],
)
def test_a_status_alone_makes_no_decision(path: str, text: str) -> None:
    assert parse(path, "b", text.encode()) is None


@pytest.mark.parametrize(
    "text", ["# X\n\n- Date: 2020-01-02\n", "# X\n\nStatus: draft\n", "# [TICKET-9] X\n" + BODY]
)
def test_a_named_file_may_be_brief(text: str) -> None:
    assert record("docs/adr/20200102-x.md", text).kind == "adr"
    assert record("docs/adr/0001-x.md", text).kind == "adr"
