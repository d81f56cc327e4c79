"""A gate of a commit in the mirror: laid out in a scratch, prepared, run in the sandbox, judged."""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from worker.gates.checkout import Source, scratch_tree
from worker.gates.dependencies import DependencyCache
from worker.gates.detection import Found, detect
from worker.gates.errors import CheckoutRefused, PreparationFailed, SandboxUnavailable
from worker.gates.evaluating import Policy, evaluate
from worker.gates.model import Evaluation, GateType
from worker.gates.prepare import Prepared, Preparer
from worker.gates.sandbox import Egress, Limits, Ran, Sandbox
from worker.gates.scratch import sweep
from worker.gates.store import GateSettings
from worker.gates.text import log_of, plain

MEBIBYTE = 1024 * 1024
# What an evaluation needs besides: fetching, laying out, recording.
AROUND_SECONDS = 120.0
PREPARING_SECONDS = 300.0
# Longer than any evaluation lasts: what is as old belongs to a worker that was killed.
LEFT_BEHIND_SECONDS = 6 * 3600.0
SWEPT_EVERY_SECONDS = 3600.0
UNUSED_SECONDS = 30 * 86_400.0
MOST_KEPT_BYTES = 10 * 1024 * MEBIBYTE


class GateRunner:
    """Runs gates below `scratch`, one instance a process; `seconds` is all the time of a job.

    `tools` are directories of toolchains that every command may read, `trusted` hosts that one
    with a network may reach although they are not public. `unsafe` runs without any isolation:
    for development only.
    """

    def __init__(
        self,
        scratch: Path,
        *,
        tools: Sequence[Path] = (),
        trusted: Collection[str] = (),
        unsafe: bool = False,
        seconds: float = 900.0,
    ) -> None:
        self._scratch, self._sandbox = (
            scratch,
            _ProvenSandbox(tools, Egress(frozenset(trusted)), unsafe),
        )
        self._cache = DependencyCache(scratch / "dependencies")
        self._seconds, self._swept = seconds - AROUND_SECONDS, float("-inf")

    async def evaluate(
        self, source: Source, gate: GateType, settings: GateSettings, scope: str
    ) -> Evaluation:
        """The verdict on a commit (`source`, as a snapshot of a mirror is one).

        `scope`, a plain file name, keeps what projects have installed apart. Where no sandbox can
        be had, or the commit cannot be laid out or prepared, the verdict is `error`, and no check
        was run. Raises CheckoutFailed for what another attempt may mend.
        """
        await self._sweep()
        try:
            async with scratch_tree(source, self._scratch) as tree:
                return await self._evaluate(tree, gate, settings, scope)
        except (CheckoutRefused, SandboxUnavailable, PreparationFailed) as error:
            log = log_of(plain(error.log)) if isinstance(error, PreparationFailed) else ""
            reason = f"Nothing was run: {error.message}"
            return Evaluation(gate_type=gate, verdict="error", reason=reason, log=log)

    async def _evaluate(
        self, tree: Path, gate: GateType, settings: GateSettings, scope: str
    ) -> Evaluation:
        began = time.monotonic()
        prepared = Prepared()
        if settings.prepare:
            prepared = await self._prepared(tree, gate, scope)
        left = self._seconds - (time.monotonic() - began)
        policy = Policy(
            limits=_limits(settings, max(left, 1.0)),
            network=settings.network,
            environment=prepared.environment,
        )
        found = await evaluate(tree, gate, policy, self._sandbox)
        told = {**found.environment, **prepared.told}
        return found.model_copy(update={"environment": told})

    async def _prepared(self, tree: Path, gate: GateType, scope: str) -> Prepared:
        detection = await asyncio.to_thread(detect, tree, gate)
        if not isinstance(detection, Found):
            return Prepared()
        limits = Limits(seconds=max(min(PREPARING_SECONDS, self._seconds), 1.0))
        preparer = Preparer(await self._sandbox.proven(), self._cache, limits)
        return await preparer.prepare(tree, detection.command.directory, scope)

    async def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept < SWEPT_EVERY_SECONDS:
            return
        self._swept = now
        await asyncio.to_thread(sweep, self._scratch, LEFT_BEHIND_SECONDS)
        await asyncio.to_thread(
            self._cache.sweep, unused_seconds=UNUSED_SECONDS, most_bytes=MOST_KEPT_BYTES
        )


class _ProvenSandbox:
    """Tries the sandbox out when something is to be run, and not before."""

    def __init__(self, tools: Sequence[Path], egress: Egress, unsafe: bool) -> None:
        self._tools, self._egress, self._unsafe = tuple(tools), egress, unsafe

    async def proven(self) -> Sandbox:
        """The sandbox. Raises SandboxUnavailable; nothing must be run then."""
        return await Sandbox.probe(readable=self._tools, egress=self._egress, unsafe=self._unsafe)

    async def run(self, argv: Sequence[str], **how: Any) -> Ran:
        """Run a command. Raises SandboxUnavailable; then nothing was run."""
        return await (await self.proven()).run(argv, **how)


def _limits(settings: GateSettings, left: float) -> Limits:
    limits = Limits()
    if settings.memory_mb is not None:
        limits = replace(limits, memory_bytes=settings.memory_mb * MEBIBYTE)
    return replace(limits, seconds=min(settings.seconds or limits.seconds, left))
