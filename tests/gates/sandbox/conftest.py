"""A sandbox held by control groups and one without, a tree, and programs to run in it."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from worker.gates.errors import SandboxUnavailable
from worker.gates.sandbox import Limits, Ran, Sandbox
from worker.gates.sandbox.bubblewrap import find
from worker.gates.sandbox.limits import MEBIBYTE

PYTHON = Path(sys.base_prefix, "bin", "python3")
TOOLS = [Path(sys.base_prefix)]
LIMITS = Limits(seconds=20.0, memory_bytes=512 * MEBIBYTE, processes=64)

RunPython = Callable[..., Awaitable[Ran]]


def skip_where_not_installable() -> None:
    """Elsewhere than on Linux with bubblewrap there is nothing to test."""
    try:
        find()
    except SandboxUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["groups", "counted"])
async def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Both ways to hold a tree within its limits, as far as this machine has them."""
    skip_where_not_installable()
    found = await Sandbox.probe(readable=TOOLS, use_groups=request.param == "groups")
    if request.param == "groups" and found.groups is None:
        pytest.skip("control groups cannot be made by this user")
    return found


@pytest.fixture
async def one_sandbox() -> Sandbox:
    """The best that this machine has."""
    skip_where_not_installable()
    return await Sandbox.probe(readable=TOOLS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "scratch" / "tree"
    tree.mkdir(parents=True)
    return tree


@pytest.fixture
def python(one_sandbox: Sandbox, tree: Path) -> RunPython:
    """Runs a Python program in the one sandbox."""

    async def run(code: str, *arguments: str, **options: Any) -> Ran:
        return await run_python(one_sandbox, tree, code, *arguments, **options)

    return run


async def run_python(
    sandbox: Sandbox,
    tree: Path,
    code: str,
    *arguments: str,
    network: bool = False,
    environment: Mapping[str, str] | None = None,
    **limits: Any,
) -> Ran:
    """Run a Python program in a sandbox; `limits` replace the usual ones."""
    return await sandbox.run(
        [str(PYTHON), "-I", "-c", code, *arguments],
        tree=tree,
        environment=environment or {},
        network=network,
        limits=replace(LIMITS, **limits),
    )


def said(ran: Ran) -> str:
    """The output of a run that has to have gone well."""
    text = ran.output.decode(errors="replace")
    assert (ran.exit_code, ran.over, ran.timed_out) == (0, None, False), text
    return text
