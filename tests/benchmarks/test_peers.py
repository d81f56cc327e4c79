"""The peers' locks and scripts, without running any of them."""

import ast
import json
import re
import sys

import pytest

from tests.benchmarks.contestants import PEERS, Contestant

PYTHON = [p for p in PEERS if not (p.directory / "package.json").exists()]
NODE = [p for p in PEERS if (p.directory / "package.json").exists()]


@pytest.mark.parametrize("peer", PYTHON, ids=lambda p: p.folder)
def test_every_python_package_is_pinned_with_hashes_and_names_no_place(peer: Contestant) -> None:
    lock = (peer.directory / "requirements.txt").read_text()
    packages = [x for x in lock.replace("\\\n", " ").splitlines() if x and x[0] != "#"]
    assert packages
    assert all(re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", x) for x in packages)
    assert "://" not in lock


@pytest.mark.parametrize("peer", NODE, ids=lambda p: p.folder)
def test_every_node_package_is_pinned_with_its_hash_and_names_no_place(peer: Contestant) -> None:
    packages = json.loads((peer.directory / "package-lock.json").read_text())["packages"]
    wanted = json.loads((peer.directory / "package.json").read_text())["dependencies"]
    locked = {name: p for name, p in packages.items() if name}
    assert {f"node_modules/{name}" for name in wanted} <= locked.keys()
    assert all(p["integrity"].startswith("sha512-") for p in locked.values())
    assert not any("resolved" in p for p in locked.values())


@pytest.mark.parametrize("peer", PEERS, ids=lambda p: p.folder)
def test_the_lock_names_the_peers_version(peer: Contestant) -> None:
    assert re.fullmatch(r"\d+(\.\d+)+", peer.version)


def test_what_the_scripts_share_needs_only_the_standard_library() -> None:
    source = (PEERS[0].directory.parent / "script.py").read_text()
    nodes = [*ast.walk(ast.parse(source))]
    imported = {str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)}
    imported |= {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
