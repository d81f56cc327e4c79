"""Installs a repository's dependencies from its lock file, before its checks run without network.

The installation runs in the same sandbox, with the network and no secrets, in a tree that holds
nothing but the lock file and the manifests. Its outcome is kept under a hash of exactly those
files, so that nobody can put anything into what another commit is given.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from worker.gates.dependencies import DependencyCache, copy_into, key_of
from worker.gates.errors import PreparationFailed
from worker.gates.files import Files, joined
from worker.gates.recipes import Chosen, choose
from worker.gates.sandbox import Limits, Ran, Sandbox
from worker.gates.scratch import scratch

ASKING = Limits(seconds=30.0)


@dataclass(frozen=True)
class Prepared:
    """`environment` is for the check, `told` says for people what was done."""

    environment: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Preparer:
    """Prepares trees for one sandbox. `given`: the operator's variables, such as a package mirror.

    They are not secret: the installation can read them.
    """

    sandbox: Sandbox
    cache: DependencyCache
    limits: Limits
    given: Mapping[str, str] = field(default_factory=dict)

    async def prepare(self, tree: Path, directory: str, scope: str) -> Prepared:
        """Install what a check in `directory` of a tree needs, or copy it from the cache.

        `scope` keeps projects apart; it is a plain file name. Nothing is done where there is no
        lock file. Raises PreparationFailed and SandboxUnavailable.
        """
        chosen = await asyncio.to_thread(choose, Files(tree), directory)
        if chosen is None:
            return Prepared(told={"dependencies": "no lock file"})
        version = await self._version(chosen.recipe.tool)
        key = key_of(self._parts(chosen, version))
        entry = await asyncio.to_thread(self.cache.entry, scope, key)
        made = entry or await self._install(chosen, scope, key)
        outputs = [joined(chosen.folder, name) for name in chosen.recipe.outputs]
        await copy_into(made, tree, outputs)
        how = "cached" if entry else "installed"
        told = {"dependencies": f"{how} by {version} from {chosen.recipe.lock}"}
        return Prepared(self._filled(chosen, chosen.recipe.afterwards, tree), told)

    async def _install(self, chosen: Chosen, scope: str, key: str) -> Path:
        async with scratch(self.cache.root) as directory:
            tree = directory / "tree"
            await asyncio.to_thread(_lay_out, tree, chosen.files)
            environment = {
                **self.given, **self._filled(chosen, chosen.recipe.environment, tree)
            }  # fmt: skip
            ran = await self.sandbox.run(
                chosen.recipe.install, tree=tree, directory=chosen.folder,
                environment=environment, network=True, limits=self.limits,
            )  # fmt: skip
            if ran.exit_code != 0:
                raise PreparationFailed(_reason(chosen, ran, self.limits), ran.output)
            outputs = [joined(chosen.folder, name) for name in chosen.recipe.outputs]
            return await asyncio.to_thread(self.cache.keep, scope, key, tree, outputs)

    async def _version(self, tool: str) -> str:
        async with scratch(self.cache.root) as directory:
            tree = directory / "tree"
            tree.mkdir()
            ran = await self.sandbox.run(
                [tool, "version" if tool == "go" else "--version"],
                tree=tree, environment={}, network=False, limits=ASKING,
            )  # fmt: skip
        if ran.exit_code != 0:
            raise PreparationFailed(
                f"{tool} is needed for the lock file and is not installed: install it, or give "
                "the sandbox the directory that it is in", ran.output,
            )  # fmt: skip
        said = ran.output.decode(errors="replace").strip().splitlines()[-1][:80]
        return said if said.lower().startswith(tool) else f"{tool} {said}"

    def _parts(self, chosen: Chosen, version: str) -> list[bytes]:
        told = [version, chosen.folder, *chosen.recipe.install]
        told += [f"{name}={value}" for name, value in sorted(self.given.items())]
        files = [part for path, data in chosen.files.items() for part in (path.encode(), data)]
        return [*(text.encode() for text in told), *files]

    def _filled(self, chosen: Chosen, variables: Mapping[str, str], tree: Path) -> dict[str, str]:
        here = self.sandbox.seen(tree) / chosen.folder
        path = self.sandbox.path
        return {
            name: value.replace("{here}", str(here)).replace("{path}", path)
            for name, value in variables.items()
        }


def _lay_out(tree: Path, files: Mapping[str, bytes]) -> None:
    tree.mkdir()
    for path, data in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)


def _reason(chosen: Chosen, ran: Ran, limits: Limits) -> str:
    what = f"{chosen.recipe.tool} could not install the dependencies of {chosen.recipe.lock}"
    if ran.timed_out:
        return f"{what} within {limits.seconds:g} s"
    if ran.over:
        return f"{what} within its limit of {ran.over}"
    return f"{what}: see the log"
