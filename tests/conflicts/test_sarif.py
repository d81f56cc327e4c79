"""The SARIF log has the shape that its standard asks for, and says all that a finding says."""

from typing import Any

import jsonschema
import pytest

from tests.conflicts.records import RULES, side
from worker.conflicts.model import Evidence, Finding, Fix
from worker.conflicts.sarif import sarif


def strict(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object", "properties": required | optional,
        "required": list(required), "additionalProperties": False,
    }  # fmt: skip


def many(of: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least}


WORDS: dict[str, Any] = {"type": "string", "minLength": 1}
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 1}
INDEX: dict[str, Any] = {"type": "integer", "minimum": 0}
LEVEL: dict[str, Any] = {"enum": ["none", "note", "warning", "error"]}
MESSAGE = strict({"text": WORDS}, markdown=WORDS)
PLAIN = strict({"text": WORDS})
BAG: dict[str, Any] = {"type": "object"}
FILE = strict({"uri": WORDS | {"pattern": r"^[A-Za-z0-9._~/%-]+$"}, "uriBaseId": WORDS})
REGION = strict(
    {"startLine": NUMBER}, endLine=NUMBER, startColumn=NUMBER, endColumn=NUMBER, snippet=PLAIN
)
PHYSICAL = strict({"artifactLocation": FILE, "region": REGION})
LOCATION = strict({"physicalLocation": PHYSICAL})
RELATED = strict({"physicalLocation": PHYSICAL, "id": NUMBER, "message": PLAIN})
SUPPRESSION = strict({"kind": {"enum": ["inSource", "external"]}}, justification=WORDS)
REPLACEMENT = strict({"deletedRegion": REGION}, insertedContent=strict({"text": {}}))
CHANGE = strict({"artifactLocation": FILE, "replacements": many(REPLACEMENT, 1)})
FIX = strict({"artifactChanges": many(CHANGE, 1)}, description=PLAIN)
RULE = strict(
    {"id": WORDS}, name=WORDS, shortDescription=MESSAGE, fullDescription=MESSAGE, help=MESSAGE,
    defaultConfiguration=strict({"level": LEVEL}), properties=BAG,
)  # fmt: skip
RESULT = strict(
    {"message": PLAIN}, ruleId=WORDS, ruleIndex=INDEX, level=LEVEL, locations=many(LOCATION, 1),
    relatedLocations=many(RELATED), suppressions=many(SUPPRESSION), fixes=many(FIX, 1),
    partialFingerprints={"type": "object", "additionalProperties": WORDS}, properties=BAG,
)  # fmt: skip
RUN = strict(
    {"tool": strict({"driver": strict({"name": WORDS}, rules=many(RULE))})},
    results=many(RESULT), automationDetails=strict({"id": WORDS}),
    invocations=many(strict({"executionSuccessful": {"type": "boolean"}})),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    originalUriBaseIds={"type": "object", "additionalProperties": strict({"description": PLAIN})},
)  # fmt: skip
LOG = strict(
    {"version": {"const": "2.1.0"}, "runs": many(RUN, 1)}, **{"$schema": WORDS | {"format": "uri"}}
)


def found(*sides: Evidence, **more: Any) -> Finding:
    about: dict[str, Any] = {
        "code": "T2", "name": "missing-target", "severity": "warning", "confidence": "high",
        "key": "path:x.md", "fingerprint": "f" * 32, "message": "no x.md",
        "evidence": sides or (side("see x.md", line=7),),
    }  # fmt: skip
    return Finding.model_validate(about | more)


def result(finding: Finding, known: bool = False, line: str | None = None) -> dict[str, Any]:
    """The finding in the log; `line` is what every line of every document is."""
    accepted = {finding.fingerprint} if known else set[str]()
    log = sarif([finding], accepted, RULES, lambda path, number: line)
    jsonschema.Draft7Validator(LOG).validate(log)
    answer: dict[str, Any] = log["runs"][0]["results"][0]
    return answer


def test_every_rule_is_described_once_even_if_nothing_was_found() -> None:
    log = sarif([], (), (*RULES, RULES[0]))
    jsonschema.Draft7Validator(LOG).validate(log)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert [(rule["id"], rule["name"]) for rule in rules] == [
        ("T1", "TwoStates"), ("T2", "MissingTarget")
    ]  # fmt: skip
    assert rules[1]["shortDescription"]["text"] == "A link leads nowhere."
    assert "conflict-ok: T2" in rules[1]["help"]["markdown"]
    assert log["runs"][0]["results"] == []


def test_a_result_points_at_its_rule_and_its_first_line() -> None:
    shown = result(found())
    assert (shown["ruleId"], shown["ruleIndex"], shown["level"]) == ("T2", 1, "warning")
    place = shown["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a.md", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 7, "snippet": {"text": "see x.md"}}
    assert shown["suppressions"] == []
    assert "relatedLocations" not in shown
    assert "fixes" not in shown


@pytest.mark.parametrize(
    ("severity", "level"), [("error", "error"), ("warning", "warning"), ("info", "note")]
)
def test_severities_have_their_levels(severity: str, level: str) -> None:
    assert result(found(severity=severity))["level"] == level


def test_the_other_sides_are_related_locations() -> None:
    shown = result(found(side("one"), side("two", line=3, path="b.md"), side("", path="c.md")))
    related = shown["relatedLocations"]
    assert [(r["id"], r["message"]["text"]) for r in related] == [(1, "two"), (2, "c.md")]
    assert related[0]["physicalLocation"]["region"]["startLine"] == 3


def test_a_path_is_a_uri() -> None:
    shown = result(found(side("x", path="docs/É t#1 [a].md")))
    uri = shown["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "docs/%C3%89%20t%231%20%5Ba%5D.md"


def test_fingerprints_are_told_in_both_names() -> None:
    prints = result(found())["partialFingerprints"]
    assert prints == {"switchyard/v1": "f" * 32, "primaryLocationLineHash": f"{'f' * 32}:1"}


def test_what_is_accepted_is_marked_with_who_accepts_it() -> None:
    assert result(found(suppressed="agreed"))["suppressions"] == [
        {"kind": "inSource", "justification": "agreed"}
    ]
    assert [s["kind"] for s in result(found(), known=True)["suppressions"]] == ["external"]


def test_expected_actual_and_a_new_name_are_told_in_words() -> None:
    fix = Fix(kind="rename", path="a.md", replacement="b.md")
    shown = result(found(expected="one", actual="two", fix=fix))
    assert shown["message"]["text"] == ("no x.md Expected: one. Actual: two. Rename a.md to b.md.")
    assert "fixes" not in shown


def replacements(original: str | None, line: str | None) -> list[Any]:
    fix = Fix(kind="edit", path="a b.md", line=7, original=original, replacement="y.md")
    fixes = result(found(fix=fix), line=line).get("fixes", [])
    changes = [change for shown in fixes for change in shown["artifactChanges"]]
    assert all(change["artifactLocation"]["uri"] == "a%20b.md" for change in changes)
    return [replacement for change in changes for replacement in change["replacements"]]


def test_an_edit_replaces_a_line() -> None:
    assert replacements(None, None) == [
        {"deletedRegion": {"startLine": 7, "endLine": 7}, "insertedContent": {"text": "y.md"}}
    ]


def test_an_edit_of_a_part_replaces_that_part() -> None:
    (replacement,) = replacements("x.md", "é [this](x.md)")
    region = {"startLine": 7, "endLine": 7, "startColumn": 10, "endColumn": 14}
    assert replacement == {"deletedRegion": region, "insertedContent": {"text": "y.md"}}


@pytest.mark.parametrize("line", [None, "", "[this](z.md)", "[x.md](x.md)"])
def test_a_part_that_is_not_there_exactly_once_is_left_alone(line: str | None) -> None:
    assert replacements("x.md", line) == []
