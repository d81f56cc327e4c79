"""Whatever a tree holds, looking for its checks neither fails nor leaves the tree."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gates.detection.finding import missing, package
from tests.gates.trees import write
from worker.gates.detection import Detection, Missing, detect
from worker.gates.model import GATE_TYPES

PATHS = (
    ".switchyard.yml", "package.json", "pyproject.toml", "setup.cfg", "tox.ini", "noxfile.py",
    "pytest.ini", "mypy.ini", "go.mod", "Cargo.toml", "Makefile", "requirements.txt", "Pipfile",
    "apps/desk/package.json", "tests/test_a.py",
)  # fmt: skip
PIECES = [
    "gates", "lint", "unit-tests", "command", "scripts", "test", "tool", "pytest", "testenv",
    ":", ": ", "\n", "\t", "  ", "{", "}", "[", "]", '"', "'", "=", "&&", "||", ";", "|", "- ", "#",
    "true", "npm run test", "cd apps/desk", "@nox.session\ndef lint(", "\\", "\0", "\x80", "é",
]  # fmt: skip
contents = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=40).map(lambda parts: "".join(parts).encode()),
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(PATHS), contents, max_size=6))
def test_any_bytes(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as directory:
        tree = write(Path(directory), files)
        for gate in GATE_TYPES:
            assert isinstance(detect(tree, gate), Detection)


NESTED = 100_000


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("package.json", "[" * NESTED),
        ("package.json", '{"scripts": {"lint": 3, "test": ["a"]}}'),
        ("package.json", '{"scripts": [1]}'),
        ("package.json", "9" * NESTED),
        ("pyproject.toml", "a = " + "[" * NESTED),
        ("pyproject.toml", "tool = 3\nproject = []\ndependency-groups = 7\n"),
        ("pyproject.toml", "[tool]\npytest = 1\nruff_ = 1\npoetry = [1]\n"),
        ("setup.cfg", "[a\nb"),
        ("Cargo.toml", "["),
        ("Makefile", "lint: lint2\nlint2: lint3\n" * 10_000),
    ],
)
def test_malformed_files(tmp_path: Path, path: str, content: str) -> None:
    tree = write(tmp_path, {path: content})
    assert isinstance(detect(tree, "type-check"), Missing)


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"package.json": package(lint="house-style")})
    tree = write(tmp_path / "tree", {"a.txt": ""})
    (tree / "package.json").symlink_to(outside / "package.json")
    (tree / "apps").symlink_to(outside)
    assert missing(tree, "lint") == ""


def test_a_named_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "package.json")
    assert missing(tmp_path, "lint") == ""


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": package(lint="house-style") + " " * 600_000})
    assert missing(tmp_path, "lint") == "package.json is not valid JSON"
