"""Without isolation, at the operator's explicit wish: still limited, ended, and marked."""

import os
from pathlib import Path

import pytest

from tests.gates.sandbox.conftest import run_python
from tests.gates.sandbox.test_ending import FAMILY, bearers
from tests.gates.sandbox.test_limits import MANY_FILES, PRINTING
from worker.gates.sandbox import Sandbox
from worker.gates.sandbox.limits import MEBIBYTE


@pytest.fixture(params=[True, False])
async def bare(request: pytest.FixtureRequest) -> Sandbox:
    return await Sandbox.probe(unsafe=True, use_groups=request.param)


async def test_it_says_that_it_is_unsafe(bare: Sandbox, tree: Path) -> None:
    ran = await run_python(bare, tree, "print(open('/etc/passwd').read())")
    assert ran.environment["sandbox"] == "none (unsafe)"
    assert str(ran.tree) == str(tree)
    assert b"root" in ran.output


async def test_the_environment_is_cleared_all_the_same(
    bare: Sandbox, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "canary")
    code = "import os; print(os.environ['HOME'], sorted(os.environ))"
    home, _, names = (await run_python(bare, tree, code)).output.decode().partition(" ")
    assert "GITHUB_TOKEN" not in names
    assert Path(home).is_relative_to(tree.parent)


async def test_daemons_end(bare: Sandbox, tree: Path) -> None:
    ran = await run_python(bare, tree, FAMILY, f"family-{os.getpid()}", "leave")
    assert ran.exit_code == 0
    assert (tree / "daemon").exists()
    assert bearers(f"family-{os.getpid()}") == []


async def test_time_disk_and_output_are_limited(bare: Sandbox, tree: Path) -> None:
    ran = await run_python(bare, tree, "import time; time.sleep(30)", seconds=0.3)
    assert ran.timed_out
    ran = await run_python(bare, tree, PRINTING, output_bytes=4 * MEBIBYTE)
    assert ran.over == "output"
    ran = await run_python(bare, tree, MANY_FILES, disk_bytes=24 * MEBIBYTE)
    assert ran.over == "disk"


async def test_exit_codes_are_told(bare: Sandbox, tree: Path) -> None:
    ran = await run_python(bare, tree, "import sys; sys.exit(4)")
    assert (ran.exit_code, ran.signal) == (4, None)
    ran = await run_python(bare, tree, "import os; os.kill(os.getpid(), 9)")
    assert (ran.exit_code, ran.signal) == (None, 9)
