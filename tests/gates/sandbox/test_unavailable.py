"""Where the sandbox cannot be had nothing is run, and the reason is told."""

import importlib.util
import sys
from pathlib import Path

import pytest

import worker
from tests.gates.sandbox.conftest import LIMITS, PYTHON, TOOLS, RunPython, said
from worker.gates.errors import SandboxUnavailable
from worker.gates.sandbox import Sandbox

# Tries to make a sandbox and to run something in it.
PROBE = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from worker.gates.errors import SandboxUnavailable
from worker.gates.sandbox import Limits, Sandbox

async def main():
    try:
        sandbox = await Sandbox.probe()
    except SandboxUnavailable as reason:
        print("UNAVAILABLE", reason)
        return
    await sandbox.run(["touch", "ran"], tree=Path(sys.argv[1]), environment={}, network=False,
                      limits=Limits())

asyncio.run(main())
"""


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program named bwrap first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bwrap").chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


async def test_no_bubblewrap_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SandboxUnavailable, match=r"not found: install .* nothing was run"):
        await Sandbox.probe()


@pytest.mark.parametrize(
    "script",
    ["echo bwrap: No permissions to create new namespace >&2; exit 1", "exit 0", "kill -9 $$"],
)
async def test_a_bubblewrap_that_fails_is_no_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    stand_in(tmp_path, monkeypatch, script)
    with pytest.raises(SandboxUnavailable, match="nothing was run"):
        await Sandbox.probe()


async def test_a_failure_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_sandbox: Sandbox
) -> None:
    with monkeypatch.context() as patched:
        stand_in(tmp_path, patched, "exit 1")
        with pytest.raises(SandboxUnavailable):
            await Sandbox.probe(readable=TOOLS)
    assert await Sandbox.probe(readable=TOOLS) == one_sandbox


async def test_forbidden_user_namespaces_are_no_sandbox(
    python: RunPython, one_sandbox: Sandbox, tree: Path
) -> None:
    """A real one: within a sandbox no further one can be made."""
    places = [Path(worker.__path__[0]).parent, Path(sys.prefix)]
    packages = [path for path in sys.path if path.startswith(sys.prefix)]
    ran = await one_sandbox.run(
        [str(PYTHON), "-c", PROBE, "/checkout", str(places[0]), *packages],
        tree=tree, environment={}, network=False, limits=LIMITS, readable=places,
    )  # fmt: skip
    assert said(ran).startswith("UNAVAILABLE")
    assert not (tree / "ran").exists()


async def test_surroundings_that_cannot_be_set_up_are_no_failure_of_the_command(
    one_sandbox: Sandbox, tree: Path
) -> None:
    missing = tree.parent / "missing"
    for more in ({"directory": "nowhere"}, {"readable": [missing]}):
        with pytest.raises(SandboxUnavailable, match="nothing was run"):
            await one_sandbox.run(
                ["false"], tree=tree, environment={}, network=False, limits=LIMITS,
                **more,
            )  # fmt: skip


async def test_a_tree_that_is_gone_is_told(one_sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await one_sandbox.run(
            ["true"], tree=tmp_path / "nowhere", environment={}, network=False, limits=LIMITS
        )
