"""Reading below a root, and nowhere else."""

import os
from pathlib import Path

import pytest

from tests.gates.trees import write
from worker.gates.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    write(tmp_path, {"outside/secret": "s", "tree/a/b.txt": "b", "tree/a/c.txt": "c"})
    tree = tmp_path / "tree"
    (tree / "link").symlink_to(tmp_path / "outside" / "secret")
    (tree / "folder").symlink_to(tmp_path / "outside")
    (tree / "a" / "inner").symlink_to("b.txt")
    os.mkfifo(tree / "pipe")
    return Files(tree)


@pytest.mark.parametrize(
    "path",
    ["link", "folder/secret", "a/inner", "../outside/secret", "a/../../outside/secret", "a", "pipe",
     "", "nothing", "a/nothing", "a/b.txt/c", "/etc/passwd", "a\0b", "/"],
)  # fmt: skip
def test_what_is_not_a_plain_file_of_the_tree_is_not_there(files: Files, path: str) -> None:
    assert files.read(path, 100) is None
    assert not files.is_file(path)
    assert files.matching(path) == []


@pytest.mark.parametrize("path", ["..", "a/..", "a/../..", "/", "/etc", "folder", "a\0", "link"])
def test_what_is_not_a_folder_of_the_tree_is_not_there(files: Files, path: str) -> None:
    assert not files.is_folder(path)
    assert files.names(path) == []


def test_folders_are_there(files: Files) -> None:
    assert files.is_folder("")
    assert files.is_folder("a")


def test_a_plain_file_is_read_up_to_its_limit(files: Files) -> None:
    assert files.read("a/b.txt", 1) == b"b"
    assert files.read("./a//b.txt", 1) == b"b"
    assert files.read("a/b.txt", 0) is None


def test_every_descriptor_is_closed_once(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    close, failures = os.close, list[int]()

    def watched(handle: int) -> None:
        try:
            close(handle)
        except OSError:
            failures.append(handle)
            raise

    monkeypatch.setattr(os, "close", watched)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("a/b.txt", "link", "folder/secret", "nothing", "a/nothing", "a/b.txt/c", "pipe"):
        files.read(path, 100)
        files.is_file(path)
        files.names(path)
    assert (failures, len(list(Path("/proc/self/fd").iterdir()))) == ([], before)


def test_links_are_not_among_the_names(files: Files) -> None:
    assert files.names("") == ["a/"]
    assert files.names("a") == ["b.txt", "c.txt"]
    assert files.names("folder") == []


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("a/*.txt", ["a/b.txt", "a/c.txt"]),
        ("*/b.txt", ["a/b.txt"]),
        ("*/*", ["a/b.txt", "a/c.txt"]),
        ("fold*/*", []),
        ("../*/secret", []),
    ],
)
def test_patterns(files: Files, pattern: str, paths: list[str]) -> None:
    assert files.matching(pattern) == paths


def test_removing_a_link_leaves_what_it_points_to(files: Files) -> None:
    for path in ("link", "folder/secret", "folder", "../outside/secret", "nothing"):
        files.remove(path)
    assert (files.root.parent / "outside" / "secret").read_text() == "s"
    assert not os.path.lexists(files.root / "link")


def test_a_folder_takes_the_place_of_a_link(files: Files) -> None:
    files.make_folder("folder")
    write(files.root, {"folder/secret": "other"})
    assert (files.root.parent / "outside" / "secret").read_text() == "s"


def test_a_walk_leaves_out_what_is_hidden_installed_or_deep(files: Files) -> None:
    odd = (".git/x", "node_modules/x/y", "a/d/e/f/deep", "a/d/near")
    write(files.root, dict.fromkeys(odd, ""))
    assert sorted(files.walk("", 2)) == ["a/b.txt", "a/c.txt", "a/d/near"]
