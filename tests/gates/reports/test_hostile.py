"""Whatever a run leaves behind, reading it does not fail, and is bounded."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gates.reports.reading import reading
from tests.gates.reports.test_junit import REPORT
from tests.gates.reports.test_tests import JEST
from worker.gates.model import ReportFormat

FORMATS: tuple[ReportFormat, ...] = get_args(ReportFormat)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["testResults", "assertionResults", "name", "status", "messages", "filePath", "line",
             "message", "spans", "location", "filename", "reason", "Action", "Test", "Output"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(FORMATS), st.binary(max_size=300) | values.map(lambda v: json.dumps(v).encode())
)
def test_any_report(form: ReportFormat, content: bytes) -> None:
    with TemporaryDirectory() as directory:
        found = reading(Path(directory), form, content, "unit-tests")
        assert found.counts is None or found.counts.total >= found.counts.passed


@settings(deadline=None, max_examples=50)
@given(st.integers(0, len(REPORT)), st.integers(0, 30), st.binary(max_size=4))
def test_a_damaged_report(start: int, length: int, instead: bytes) -> None:
    data = REPORT.encode()
    damaged = data[:start] + instead + data[start + length :]
    with TemporaryDirectory() as directory:
        found = reading(Path(directory), "junit", damaged, "unit-tests")
        assert bool(found.problems) == (found.counts is None)


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=300))
def test_any_output(printed: str) -> None:
    with TemporaryDirectory() as directory:
        for gate in ("unit-tests", "lint"):
            assert not reading(Path(directory), None, printed, gate).problems


UNITS = [
    "a:1: ", "a", ":", "1 a, ", "1 passed, ", "/a", "(", " ", "\t", "E ", " at ", "-", "[",
    "\x1b[", "\x1b]", "\r", "\n", "# tests 1\n", "src/a.py:1: ", "src/a.py:1: error: b\n",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_a_repeated_unit_takes_linear_time(tmp_path: Path, unit: str) -> None:
    for gate in ("unit-tests", "lint"):
        began = time.process_time()
        reading(tmp_path, None, unit * (200_000 // len(unit)), gate)
        assert time.process_time() - began < 3.0


def test_a_failure_of_many_words_takes_linear_time(tmp_path: Path) -> None:
    for unit in ("a(", " at ", "a:1", "\n", "a\n"):
        case = f"<testcase name='a'><failure>{unit * 50_000}</failure></testcase>"
        began = time.process_time()
        reading(tmp_path, "junit", f"<testsuite>{case}</testsuite>", "unit-tests")
        assert time.process_time() - began < 3.0


def test_values_that_no_store_takes_are_cleaned(tmp_path: Path) -> None:
    report = json.loads(json.dumps(JEST))
    test = report["testResults"][0]["assertionResults"][1]
    test["fullName"] = "a\0b\ud800c" + "d" * 5_000
    found = reading(tmp_path, "jest-json", json.dumps(report), "unit-tests")
    assert found.failed[0].startswith("abcd")
    assert len(found.failed[0]) <= 300
    assert len(found.diagnostics[0].message) <= 1_000
