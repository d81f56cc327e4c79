"""Kubernetes enhancement proposals: kep.yaml."""

import pytest

from tests.artifacts.documents import codes, record
from tests.artifacts.specification import specified
from worker.artifacts import classify, parse

PATH = "keps/sig-cranes/4021-quiet-mode/kep.yaml"
HEAD = "title: X\nkep-number: 4021\nowning-sig: sig-cranes\n"


def test_a_proposal() -> None:
    kep = specified("quiet-mode-kep.yaml")
    assert (kep.id, kep.kind, kep.subtype) == ("kep-4021", "proposal", "kep")
    assert (kep.title, kep.owner) == ("Quiet mode for the harbour crane", "@ada, @grace")
    assert kep.status is not None
    assert (kep.status.normalized, kep.status.line) == ("accepted", 7)


def test_a_date_that_does_not_exist_stays_as_it_was_written() -> None:
    kep = specified("quiet-mode-kep.yaml")
    assert (kep.dates.created, kep.warnings) == ("2023-04-31", ())


def test_a_stage_and_its_releases_are_entries() -> None:
    entries = specified("quiet-mode-kep.yaml").entries
    assert [(e.key, e.status.raw, e.status.normalized, e.line) for e in entries] == [
        ("stage", "beta", "beta", 18),
        ("alpha", "v2.3", "done", 21),
        ("beta", "v2.4", "in-progress", 22),
        ("stable", "v2.6", "backlog", 23),
    ]


def test_the_last_stage_of_an_implemented_proposal_is_done() -> None:
    text = HEAD + 'status: implemented\nstage: stable\nmilestone:\n  beta: "v1"\n  stable: "v2"\n'
    entries = record(PATH, text).entries
    assert [e.status.normalized for e in entries] == ["stable", "done", "done"]


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("provisional", "draft"),
        ("implementable", "accepted"),
        ("Implementable", "accepted"),
        ("implemented", "implemented"),
        ("replaced", "superseded"),
        ("removed", "deprecated"),
        ("withdrawn", "withdrawn"),
        ("rejected", "rejected"),
        ("deferred", "deferred"),
    ],
)
def test_statuses(written: str, normalized: str) -> None:
    kep = record(PATH, f"{HEAD}status: {written}\n")
    assert kep.status is not None
    assert (kep.status.normalized, kep.status.line, kep.warnings) == (normalized, 4, ())


@pytest.mark.parametrize("written", ["imlpemented", "provisional|implementable|implemented"])
def test_what_is_no_status_is_said_to_be_none(written: str) -> None:
    kep = record(PATH, f"{HEAD}status: {written}\n")
    assert kep.status is not None
    assert (kep.status.raw, kep.status.normalized) == (written, None)
    assert codes(kep) == ["unknown_status"]


def test_no_status_at_all() -> None:
    assert record(PATH, f"{HEAD}status:\n").status is None


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("/keps/sig-a/0123-x", "kep-123"),
        ("/keps/sig-a/123-x/README.md", "kep-123"),
        ("keps/sig-a/123-x/kep.yaml", "kep-123"),
        ("https://example.org/enhancements/tree/master/keps/sig-a/123-x", "kep-123"),
        ("KEP-123", "kep-123"),
        ("123", "kep-123"),
        ("/keps/sig-a/20191004-old.md", "keps/sig-a/20191004-old.md"),
        ("0008-old.md", "0008-old.md"),
    ],
)
def test_what_it_replaces(written: str, target: str) -> None:
    kep = record(PATH, f'{HEAD}replaces:\n  - other\n  - "{written}"\n')
    (found,) = kep.supersedes
    assert (found.kind, found.target, found.line) == ("proposal", target, 6)
    assert found.quote == f'- "{written}"'


@pytest.mark.parametrize(
    "written", ["n/a", "N/A", "none", "TBD", "https://example.org/pull/1749", "a talk", ""]
)
def test_what_is_no_proposal_of_ours(written: str) -> None:
    kep = record(PATH, f'{HEAD}replaces:\n  - "{written}"\nsuperseded-by: {written}\n')
    assert (kep.supersedes, kep.superseded_by) == ((), ())


def test_what_it_was_superseded_by() -> None:
    kep = record(PATH, f"{HEAD}superseded-by:\n  - /keps/sig-a/7-x\n")
    assert [r.target for r in kep.superseded_by] == ["kep-7"]


def test_see_also_is_a_link_and_no_dependency() -> None:
    kep = record(PATH, f"{HEAD}see-also:\n  - /keps/sig-a/7-x#goals\n")
    assert [(x.target, x.anchor, x.line) for x in kep.links] == [("/keps/sig-a/7-x", "goals", 5)]
    assert kep.dependencies == ()


def test_a_number_that_is_not_its_folders() -> None:
    kep = record("keps/sig-a/123-x/kep.yaml", HEAD)
    assert (kep.id, kep.identity.in_file, kep.identity.in_document, kep.identity.line) == (
        "kep-123",
        "kep-123",
        "kep-4021",
        2,
    )
    assert codes(kep) == ["id_mismatch"]


@pytest.mark.parametrize("number", ["0000", "NNNN", ""])
def test_a_folder_without_a_number(number: str) -> None:
    text = f"title: X\nkep-number: {number}\nowning-sig: a\n"
    assert record("keps/sig-a/0000-the-process/kep.yaml", text).id == "0000-the-process"


def test_yaml_that_is_none_is_read_line_by_line() -> None:
    kep = record(PATH, HEAD + "status: implemented\n**bold** [\n")
    assert kep.status is not None
    assert (kep.status.normalized, codes(kep)) == ("implemented", ["invalid_yaml"])


def test_a_remark_that_accepts_a_finding() -> None:
    (found,) = specified("quiet-mode-kep.yaml").suppressions
    assert (found.code, found.line) == ("R1", 13)


@pytest.mark.parametrize(
    "path",
    [
        "keps/NNNN-kep-template/kep.yaml",
        "keps/sig-a/0000-provider-template/kep.yaml",
        "pkg/testdata/valid/kep.yaml",
        "keps/sig-a/1-x/kep.yml",
        "keps/sig-a/1-x/README.md",
    ],
)
def test_what_is_no_proposal(path: str) -> None:
    assert classify(path) is None


def test_other_yaml_of_that_name_is_none() -> None:
    assert parse("charts/kep.yaml", "b", b"replicas: 3\n") is None
