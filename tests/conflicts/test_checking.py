"""Documents are grouped by key, and only the groups asked for are checked."""

import random

from tests.conflicts.records import EMPTY, RULES, Seen, allowing, linking, story
from worker.conflicts.checking import affected, check, keys_of, widened
from worker.conflicts.world import TreeWorld


def test_the_keys_of_a_document_are_those_of_all_rules_sorted_and_once() -> None:
    document = story("b/1.1.md", links=linking("z.md", "a/Y.md", "z.md"))
    expected = ("name:y.md", "name:z.md", "path:a/Y.md", "path:z.md", "story:1.1")
    assert keys_of(document, RULES) == expected


def test_a_group_has_all_documents_of_its_key_by_path() -> None:
    seen = Seen()
    check([story("b/1.1.md"), story("a/1.1.md"), story("a/1.2.md")], EMPTY, rules=seen.rules())
    assert sorted(seen.groups) == [
        ("story:1.1", ["a/1.1.md", "b/1.1.md"]), ("story:1.2", ["a/1.2.md"])
    ]  # fmt: skip


def test_only_groups_asked_for_are_checked() -> None:
    seen, documents = Seen(), [story("a/1.1.md"), story("a/1.2.md")]
    check(documents, EMPTY, {"story:1.2", "story:9.9"}, seen.rules())
    assert seen.groups == [("story:1.2", ["a/1.2.md"])]
    assert check(documents, EMPTY, (), seen.rules()) == []


def test_findings_come_by_path_and_line_whatever_the_order_of_documents() -> None:
    documents = [
        story(f"{folder}/1.{number}.md", "done" if folder == "a" else "draft",
              links=linking(f"gone-{number}", "lost"))
        for folder in "ab" for number in range(1, 6)
    ]  # fmt: skip
    found = check(documents, EMPTY, rules=RULES)
    places = [(f.evidence[0].path, f.evidence[0].line) for f in found]
    assert places == sorted(places)
    assert len(found) == 5 + 10 + 10
    assert len({f.fingerprint for f in found}) == len(found)
    random.Random(1).shuffle(documents)
    assert check(documents, EMPTY, rules=RULES) == found


def test_a_change_affects_the_groups_it_left_and_those_it_joined() -> None:
    keys = affected(["story:1"], ["story:2"], ["docs/adr/X.md"], ["3"])
    assert keys == {
        "story:1", "story:2", "story:3",
        "name:x.md", "path:docs/adr/X.md", "path:docs/adr", "path:docs",
    }  # fmt: skip


def test_checking_one_group_finds_what_checking_all_finds_there() -> None:
    documents = [story("a/1.1.md", "done"), story("b/1.1.md", "draft", links=linking("x/y.md"))]
    world = TreeWorld(["x/z.md"], None, {})
    found = check(documents, world, rules=RULES)
    assert [f.code for f in found] == ["T1", "T2"]
    for finding in found:
        assert check(documents, world, [finding.key], RULES) == [finding]


def test_groups_widen_to_all_those_of_a_document_that_allows_something() -> None:
    allows = story("a/1.1.md", suppressions=allowing("T1"))
    members = [allows, story("b/1.1.md")]
    keys = widened({"story:1.1"}, members)
    assert keys == {"story:1.1", *keys_of(allows)}
    assert "suppressions:a/1.1.md" in keys
    assert widened({"story:1.1"}, members[1:]) == {"story:1.1"}
