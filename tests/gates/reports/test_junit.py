"""JUnit XML: what counts, where it failed, and what is refused."""

from pathlib import Path

import pytest

from tests.gates.reports.reading import reading
from tests.gates.trees import write
from worker.gates.files import Files
from worker.gates.model import Command, Counts, ReportFile
from worker.gates.reports import Places, Reading, read

TRACE = (
    "def test_b():\n&gt;   assert 1 == 2\nE   assert 1 == 2\n\ntests/test_a.py:7: AssertionError"
)
REPORT = f"""\
<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" tests="99">
<testcase classname="tests.test_a" name="test_a" file="tests/test_a.py" line="2"/>
<testcase classname="tests.test_a.TestB" name="test_b[x/y]" file="tests/test_a.py" line="4">
<failure message="assert 1 == 2">{TRACE}</failure></testcase>
<testcase classname="tests.test_a" name="test_c"><skipped message="later"/></testcase>
<testcase classname="tests.test_a" name="test_d"><error message="no database">x</error></testcase>
<testcase classname="tests.test_a" name="test_e"><flakyFailure message="once"/></testcase>
</testsuite></testsuites>
"""


def junit(tree: Path, content: str | bytes) -> Reading:
    return reading(tree, "junit", content, "unit-tests")


def test_every_case_is_counted_by_its_outcome(tmp_path: Path) -> None:
    found = junit(tmp_path, REPORT)
    assert found.counts == Counts(total=5, passed=2, failed=2, skipped=1, flaky=1)
    assert found.failed == ("tests/test_a.py::TestB::test_b[x/y]", "tests.test_a.test_d")
    assert not found.problems


def test_a_failure_is_placed_where_it_was_raised(tmp_path: Path) -> None:
    (told,) = junit(tmp_path, REPORT).diagnostics
    assert (told.path, told.line, told.rule) == ("tests/test_a.py", 7, "test")
    assert told.message == "tests/test_a.py::TestB::test_b[x/y]: assert 1 == 2"


def test_without_a_trace_it_is_placed_at_the_test(tmp_path: Path) -> None:
    case = '<testcase name="a" file="tests/test_a.py" line="4"><failure/></testcase>'
    (told,) = junit(tmp_path, f"<testsuite>{case}</testsuite>").diagnostics
    assert (told.path, told.line) == ("tests/test_a.py", 5)


def test_a_suite_of_nothing_counts_nothing(tmp_path: Path) -> None:
    assert junit(tmp_path, '<testsuites><testsuite tests="0"/></testsuites>').counts == Counts()


def test_several_files_are_added_up(tmp_path: Path) -> None:
    case = "<testsuite><testcase name='a'/></testsuite>"
    write(tmp_path, {"out/a.xml": case, "out/b.xml": case, "out/c.txt": case})
    command = Command(("house-tests",), "", "", (ReportFile("out/*.xml", "junit"),))
    found = read(command, "unit-tests", "", Places(Files(tmp_path), (), ""))
    assert found.counts == Counts(total=2, passed=2)


BOMB = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><testsuite>&d;</testsuite>'
FETCHING = '<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuite/>'


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (BOMB, "it declares a document type, which is not read"),
        (FETCHING, "it declares a document type, which is not read"),
        ("<testsuite>", "not valid XML: line 1"),
        ("", "not valid XML: line 1"),
        (b"\xff\xfe\x00", "not valid XML: line 1"),
        ("<html/>", "no test suite in it"),
        (
            "<testsuite>" + "<a>" * 100 + "</a>" * 100 + "</testsuite>",
            "nested deeper than 64 levels",
        ),
        ("<testsuite>&undefined;</testsuite>", "not valid XML: line 1"),
    ],
)
def test_what_is_broken_or_hostile_is_named_and_not_used(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    found = junit(tmp_path, content)
    assert found.problems == (f"report: {problem}",)
    assert (found.counts, found.diagnostics) == (None, ())


def test_a_report_without_end_is_bounded(tmp_path: Path) -> None:
    case = '<testcase name="a" file="tests/test_a.py"><failure message="b">c</failure></testcase>'
    cases = "".join(case.replace('"a"', f'"a{n}"') for n in range(3_000))
    found = junit(tmp_path, f"<testsuite>{cases}</testsuite>")
    assert found.counts == Counts(total=3_000, failed=3_000)
    assert found.truncated
    assert (len(found.diagnostics), len(found.failed)) == (1_000, 500)


def test_paths_out_of_the_tree_are_not_named(tmp_path: Path) -> None:
    case = (
        '<testcase name="a" file="../../etc/passwd"><failure>/etc/passwd:3: b</failure></testcase>'
    )
    found = junit(tmp_path, f"<testsuite>{case}</testsuite>")
    assert (found.counts, found.diagnostics) == (Counts(total=1, failed=1), ())
