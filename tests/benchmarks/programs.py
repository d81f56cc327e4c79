"""Runs the contestants' programs and reads what they report."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.benchmarks.contestants import ROOT, Contestant, Tuning
from tests.benchmarks.environments import environment
from tests.benchmarks.stage import Stage

FILL_SECONDS, WORK_SECONDS, STOP_SECONDS = 300.0, 300.0, 30.0
BIN = Path(sys.executable).parent


class ProgramError(Exception):
    """A program failed; the message ends with the last line of its log."""


class Running:
    """A program that was started."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.pid = process.pid

    async def told(self) -> dict[str, Any]:
        """The next line of JSON on its output."""
        assert self._process.stdout
        async with asyncio.timeout(WORK_SECONDS):
            while line := await self._process.stdout.readline():
                if line.startswith(b"{"):
                    return dict(json.loads(line))
        raise self._failed("ended without a report")

    async def time_of(self, what: str) -> float:
        """When this happened, which is what it must tell next, in seconds since the epoch."""
        return float((await self.told())[what])

    def check(self) -> None:
        """Raise ProgramError if it has ended."""
        if self._process.returncode is not None:
            raise self._failed(f"ended with code {self._process.returncode}")

    async def end(self) -> None:
        """Wait for it to end by itself."""
        async with asyncio.timeout(FILL_SECONDS):
            if await self._process.wait():
                raise self._failed(f"ended with code {self._process.returncode}")

    async def stop(self) -> None:
        """Ask it to stop, and see to it that it does."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _failed(self, what: str) -> ProgramError:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return ProgramError(f"{what}: {lines[-1] if lines else 'it logged nothing'}")


@asynccontextmanager
async def running(
    stage: Stage, command: Sequence[str], variables: Mapping[str, str]
) -> AsyncIterator[Running]:
    """A program on this stage's servers until the block ends. Its log is thrown away."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        log = Path(directory, "log")
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, env={**_environment(stage), **variables}, limit=2**26,
                stdout=asyncio.subprocess.PIPE, stderr=sink, process_group=stage.process_group,
            )  # fmt: skip
        program = Running(process, log)
        try:
            yield program
        finally:
            await program.stop()


@asynccontextmanager
async def switchyard(
    stage: Stage, settings: str = "tests.benchmarks.app.WorkerSettings", **variables: str
) -> AsyncIterator[Running]:
    """One of our workers, started as in production."""
    async with running(stage, [str(BIN / "arq"), settings], variables) as program:
        yield program


class Programs:
    """A contestant's programs under one tuning."""

    def __init__(self, stage: Stage, contestant: Contestant, tuning: Tuning) -> None:
        self._stage = stage
        self._contestant = contestant
        self._tuning = tuning

    async def run(self, command: str, jobs: int, rate: float = 0.0) -> None:
        """Run one to its end."""
        async with self.running(command, jobs, rate) as program:
            await program.end()

    @asynccontextmanager
    async def running(self, command: str, jobs: int, rate: float = 0.0) -> AsyncIterator[Running]:
        """Run one until the block ends."""
        variables = {"JOBS": str(jobs), "RATE": str(rate), "TUNING": json.dumps(self._tuning)}
        words, more = self._command(command)
        async with running(self._stage, words, variables | more) as program:
            yield program

    def _command(self, command: str) -> tuple[list[str], dict[str, str]]:
        who = self._contestant
        if who.ours:
            return ours(who, command), {}
        built = environment(who)
        script = who.directory / "worker.mjs"
        if script.exists():
            return ["node", str(script), command], {"NODE_ENVIRONMENT": str(built)}
        module = f"tests.benchmarks.peers.{who.folder}.worker"
        return [str(built / "bin" / "python"), "-m", module, command], {}


def ours(who: Contestant, command: str) -> list[str]:
    """Switchyard's own programs: its workers start as in production."""
    if command == "work":
        return [str(BIN / "arq"), f"tests.benchmarks.{who.folder}.WorkerSettings"]
    return [sys.executable, "-m", "tests.benchmarks.enqueue", command]


def _environment(stage: Stage) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": stage.database_url,
        "REDIS_URL": stage.redis_url,
        "HOST": "127.0.0.1",
        "HEALTH_CHECK_PORT": "0",
        "LOG_FORMAT": "json",
        "JOBS": "0",
        "TUNING": "{}",
    }
