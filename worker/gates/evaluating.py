"""One gate of one commit, from finding its command to the verdict."""

import asyncio
import hashlib
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from worker.gates.detection import Found, Hollow, Malformed, Missing, detect
from worker.gates.detection.tools import REPORTS
from worker.gates.errors import SandboxUnavailable
from worker.gates.files import Files
from worker.gates.model import Command, Evaluation, GateType, Verdict
from worker.gates.reports import Places, Reading, read
from worker.gates.rerunning import again, mended
from worker.gates.sandbox import Limits, Ran
from worker.gates.text import log_of, plain
from worker.gates.verdicts import TEST_GATES, Judged, Outcome, judge

LEAST_RERUN_SECONDS = 1.0
MAX_LOCK_BYTES = 64 * 1024 * 1024
LOCKS = (
    "pnpm-lock.yaml", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "bun.lock",
    "bun.lockb", "uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "requirements.txt",
    "Cargo.lock", "go.sum",
)  # fmt: skip
_QUIET = {"NO_COLOR": "1", "CARGO_TERM_COLOR": "never", "npm_config_update_notifier": "false"}


class Runner(Protocol):
    """What runs commands: the sandbox."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        tree: Path,
        directory: str = "",
        environment: Mapping[str, str],
        network: bool,
        limits: Limits,
        readable: Sequence[Path] = (),
    ) -> Ran: ...


@dataclass(frozen=True)
class Policy:
    """How a project's gates are run: `limits.seconds` is for a gate as a whole, rerun included.

    `readable` and `environment` are what was prepared for the run, such as installed dependencies.
    """

    limits: Limits = field(default_factory=Limits)
    network: bool = False
    readable: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


async def evaluate(tree: Path, gate: GateType, policy: Policy, sandbox: Runner) -> Evaluation:
    """Find and run the check of `gate` in a checked-out `tree`, and judge what came of it.

    Whatever the tree holds, the outcome is a verdict. Where no sandbox can be had it is `error`,
    and nothing was run.
    """
    detection = await asyncio.to_thread(detect, tree, gate)
    if not isinstance(detection, Found):
        return _without_running(gate, detection)
    try:
        return await _Run(tree, gate, policy, sandbox, detection.command).evaluation()
    except SandboxUnavailable as error:
        told = _told(gate, detection.command)
        reason = f"Nothing was run: {error.message}"
        return told.model_copy(update={"verdict": "error", "reason": reason})


def _without_running(gate: GateType, detection: Hollow | Malformed | Missing) -> Evaluation:
    match detection:
        case Hollow(text, source, reason):
            return Evaluation(
                gate_type=gate, verdict="vacuous", command=text, source=source,
                reason=f"The command cannot fail: {reason}",
            )  # fmt: skip
        case Malformed(source, reason):
            return Evaluation(gate_type=gate, verdict="error", source=source, reason=reason)
        case Missing(reason):
            more = f": {reason}" if reason else ""
            told = f"No command for {gate} was found{more}; .switchyard.yml can name one"
            return Evaluation(gate_type=gate, verdict="not_configured", reason=told)


def _told(gate: GateType, command: Command) -> Evaluation:
    """An evaluation that says what is run, and nothing yet of its outcome."""
    line = command.argv[2] if command.argv[:2] == ("sh", "-c") else shlex.join(command.argv)
    return Evaluation(
        gate_type=gate, verdict="error", reason="", command=line, source=command.source
    )


@dataclass
class _Run:
    tree: Path
    gate: GateType
    policy: Policy
    sandbox: Runner
    command: Command

    async def evaluation(self) -> Evaluation:
        began = time.monotonic()
        ran, reading, log = await self._once(self.command, self.policy.limits.seconds)
        verdict, reason = self._judged(ran, reading, log)
        first, flaky = reading, tuple[str, ...]()
        if verdict == "fail" and self.gate in TEST_GATES:
            left = self.policy.limits.seconds - (time.monotonic() - began)
            if better := await self._rerun(reading, left):
                reading, flaky = better, first.failed
                verdict, reason = self._judged(replace(ran, exit_code=0), reading, log)
        return _told(self.gate, self.command).model_copy(
            update={
                "verdict": verdict,
                "reason": reason + _problem(verdict, reading),
                "exit_code": ran.exit_code,
                "duration_ms": int((time.monotonic() - began) * 1000),
                "counts": reading.counts,
                "diagnostics": reading.diagnostics,
                "truncated": reading.truncated,
                "log": log,
                "flaky": flaky,
                "environment": await self._environment(ran),
            }
        )

    def _judged(self, ran: Ran, reading: Reading, log: str) -> Judged:
        outcome = Outcome(
            ran.exit_code, ran.signal, ran.timed_out, ran.over, self.policy.limits.seconds, log
        )
        return judge(outcome, reading, self.gate, self.command.tool, self._belongs)

    async def _once(self, command: Command, seconds: float) -> tuple[Ran, Reading, str]:
        files = Files(self.tree)
        await asyncio.to_thread(_clear, files, command)
        ran = await self.sandbox.run(
            _redirected(command),
            tree=self.tree,
            directory=command.directory,
            environment={**_QUIET, **self.policy.environment, **command.environment},
            network=self.policy.network,
            limits=replace(self.policy.limits, seconds=seconds),
            readable=self.policy.readable,
        )
        return await asyncio.to_thread(self._read, files, command, ran)

    def _read(self, files: Files, command: Command, ran: Ran) -> tuple[Ran, Reading, str]:
        output = plain(ran.output)
        places = Places(files, (str(ran.tree), str(self.tree)), command.directory)
        reading = read(command, self.gate, output, places)
        return ran, reading, log_of(plain(reading.log) + output)

    async def _rerun(self, first: Reading, seconds: float) -> Reading | None:
        """The first run's reading as mended by running its failed tests once more."""
        command = again(self.command, first)
        if command is None or seconds < LEAST_RERUN_SECONDS:
            return None
        ran, second, _ = await self._once(command, seconds)
        return mended(first, second) if ran.exit_code == 0 else None

    def _belongs(self, module: str) -> bool:
        """Whether a module that could not be imported is one of the tree's own."""
        files, top = Files(self.tree), module.partition(".")[0]
        places = ("", "src", self.command.directory)
        names = {name.removesuffix("/") for place in places for name in files.names(place)}
        return bool({top, f"{top}.py"} & names)

    async def _environment(self, ran: Ran) -> dict[str, str]:
        limits = self.policy.limits
        locks = await asyncio.to_thread(_lock_hashes, self.tree, self.command.directory)
        return {
            **ran.environment,
            "limit seconds": f"{limits.seconds:g}",
            "limit memory": f"{limits.memory_bytes // 2**20} MiB",
            "limit processes": str(limits.processes),
            **locks,
        }


def _redirected(command: Command) -> Sequence[str]:
    if command.stdout is None:
        return command.argv
    up = "../" * len([part for part in command.directory.split("/") if part])
    return ("sh", "-c", 'exec "$@" > "$0"', up + command.stdout, *command.argv)


def _clear(files: Files, command: Command) -> None:
    """No report of an earlier run, and none that was committed, may be taken for this one's."""
    for report in command.reports:
        for path in files.matching(report.path) or [report.path]:
            files.remove(path)
    files.make_folder(REPORTS)


def _problem(verdict: Verdict, reading: Reading) -> str:
    told = verdict in ("pass", "fail") and reading.problems
    return f" ({reading.problems[0]})" if told else ""


def _lock_hashes(tree: Path, directory: str) -> dict[str, str]:
    files, found = Files(tree), dict[str, str]()
    for place in dict.fromkeys((directory, "")):
        for name in LOCKS:
            path = f"{place}/{name}" if place else name
            data = files.read(path, MAX_LOCK_BYTES)
            if data is not None:
                found[f"sha256 {path}"] = hashlib.sha256(data).hexdigest()
    return found
