"""Gates of real commits, run in the real sandbox."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from tests.handlers.scanning import Scanner, story
from tests.support import eventually
from worker.credentials import Cipher, Credentials, CredentialStore
from worker.errors import PermanentError
from worker.gates.errors import SandboxUnavailable
from worker.gates.model import Evaluation
from worker.gates.running import GateRunner
from worker.gates.sandbox import bubblewrap
from worker.gates.store import GateSettings
from worker.github.logins import TokenLogin
from worker.handlers.gate_evaluation import gate_evaluation
from worker.jobs.ids import new_id
from worker.jobs.model import Completed
from worker.jobs.payloads import GateEvaluation

CONFIGURATION = b"gates:\n  lint:\n    command: sh check.sh\n"
PASSES, FAILS = b"echo all is well; test -f check.sh\n", b"echo no good >&2; exit 3\n"
# No file has this name, so that no registry is asked.
NO_LOCK = b"./nothing-here.whl --hash=sha256:" + b"0" * 64 + b"\n"


def commit(scanner: Scanner, script: bytes = PASSES) -> str:
    """A commit whose lint is this script."""
    files = {
        ".switchyard.yml": CONFIGURATION,
        "check.sh": script,
        "docs/1.2.story.md": story("1.2"),
    }
    return scanner.origin.commit(files)


async def evaluate(
    scanner: Scanner, commit_sha: str | None, job_id: UUID | None = None, **fields: Any
) -> Completed:
    """Run the handler; approved unless a sender is told."""
    fields = {"gate_type": "lint"} | fields
    if not {"sender", "approved_by"} & set(fields):
        fields["approved_by"] = "api"
    job = GateEvaluation(project_id=scanner.project_id, commit_sha=commit_sha, **fields)
    outcome = await gate_evaluation(job, await scanner.context(job_id or new_id()))
    assert isinstance(outcome, Completed)
    return outcome


def log_in(scanner: Scanner) -> None:
    """From now on there is somebody to report to GitHub as."""
    credentials = Credentials(
        CredentialStore(scanner.pool), Cipher([]), environment=[TokenLogin("never-sent")]
    )
    object.__setattr__(scanner.resources, "credentials", credentials)


async def recorded(scanner: Scanner) -> list[dict[str, Any]]:
    """What the record has of evaluations, oldest first."""
    rows = await scanner.pool.fetch("SELECT * FROM gate_evaluations ORDER BY job_id")
    return [dict(row) for row in rows]


async def following(scanner: Scanner, kind: str) -> list[Any]:
    """The payloads of the jobs of a kind that were asked for."""
    rows = await scanner.pool.fetch("SELECT payload FROM jobs WHERE kind = $1 ORDER BY id", kind)
    return [row["payload"] for row in rows]


async def trust(scanner: Scanner, *senders: str, **more: Any) -> None:
    """Set whose pushes are run."""
    await scanner.pool.execute(
        """INSERT INTO gate_settings (project_id, trusted_senders, seconds) VALUES ($1, $2, $3)
           ON CONFLICT (project_id) DO UPDATE SET trusted_senders = $2""",
        scanner.project_id, list(senders), more.get("seconds"),
    )  # fmt: skip


async def test_a_check_that_passes(scanner: Scanner) -> None:
    sha, job_id = commit(scanner), new_id()
    outcome = await evaluate(scanner, sha, job_id, branch="main")
    [row] = await recorded(scanner)
    assert (row["job_id"], row["state"], row["verdict"]) == (job_id, "done", "pass")
    assert (row["commit_sha"], row["approved_by"], row["gate_type"]) == (sha, "api", "lint")
    assert row["evaluation"]["command"] == "sh check.sh"
    assert "all is well" in row["evaluation"]["log"]
    [(event, told)] = outcome.events
    assert event == "gate_evaluated"
    assert told == {
        "gateType": "lint", "storyId": None, "branch": "main", "commitSha": sha,
        "verdict": "pass", "reason": row["evaluation"]["reason"], "counts": None,
    }  # fmt: skip
    assert outcome.data["verdict"] == "pass"
    assert outcome.message == "lint: pass"
    assert [p for p, _ in scanner.reports] == [5, 15, 95]


async def test_a_check_that_fails_is_a_job_that_completed(scanner: Scanner) -> None:
    outcome = await evaluate(scanner, commit(scanner, FAILS))
    [row] = await recorded(scanner)
    assert (row["verdict"], row["evaluation"]["exitCode"]) == ("fail", 3)
    assert outcome.data["verdict"] == "fail"


async def test_a_check_that_nobody_configured(scanner: Scanner) -> None:
    await evaluate(scanner, commit(scanner), gate_type="type-check")
    assert [r["verdict"] for r in await recorded(scanner)] == ["not_configured"]


async def test_the_report_begins_and_ends_with_the_job(scanner: Scanner) -> None:
    log_in(scanner)
    sha, job_id = commit(scanner), new_id()
    await evaluate(scanner, sha, job_id)
    [report] = await scanner.pool.fetch("SELECT * FROM github_reports")
    assert (report["commit_sha"], report["name"], report["job_id"]) == (
        sha, "switchyard/lint", job_id,
    )  # fmt: skip
    asked = await following(scanner, "github_report")
    assert len(asked) == 2
    assert {(a["commitSha"], a["name"]) for a in asked} == {(sha, "switchyard/lint")}


async def test_the_story_is_compared_with_its_verdict(scanner: Scanner) -> None:
    sha = commit(scanner)
    outcome = await evaluate(scanner, sha, story_id="1.2", branch="main")
    assert await following(scanner, "conflict_detection") == [
        {
            "projectId": str(scanner.project_id), "storyIds": ["1.2"], "artifactIds": [],
            "branch": "main",
        }
    ]  # fmt: skip
    assert outcome.events[0][1]["storyId"] == "1.2"
    await evaluate(scanner, sha)
    assert len(await following(scanner, "conflict_detection")) == 1


@dataclass
class Counting:
    """Counts how often something is run."""

    runner: GateRunner
    runs: int = 0

    async def evaluate(self, *arguments: Any) -> Any:
        self.runs += 1
        return await self.runner.evaluate(*arguments)


@pytest.fixture
async def counting(scanner: Scanner) -> Counting:
    counting = Counting(scanner.resources.gate_runner)
    object.__setattr__(scanner.resources, "gate_runner", counting)
    return counting


@pytest.mark.parametrize(
    ("trusted", "sender"), [((), "ann"), (("bob",), "ann"), (("ann",), None), ((), None)]
)
async def test_what_nobody_vouches_for_is_not_run(
    scanner: Scanner, counting: Counting, trusted: Iterable[str], sender: str | None
) -> None:
    log_in(scanner)
    await trust(scanner, *trusted)
    outcome = await evaluate(scanner, commit(scanner), sender=sender, story_id="1.2")
    [row] = await recorded(scanner)
    assert (row["state"], row["verdict"], row["sender"]) == ("awaiting_approval", None, sender)
    assert counting.runs == 0
    [(event, told)] = outcome.events
    assert (event, told["sender"]) == ("gate_awaiting_approval", sender)
    assert outcome.data["awaitingApproval"] is True
    assert await following(scanner, "conflict_detection") == []
    assert len(await following(scanner, "github_report")) == 2


@pytest.mark.parametrize("trusted", ["ann", "ANN", "*"])
async def test_the_pushes_of_trusted_senders_are_run(scanner: Scanner, trusted: str) -> None:
    await trust(scanner, "bob", trusted)
    await evaluate(scanner, commit(scanner), sender="Ann")
    assert [r["verdict"] for r in await recorded(scanner)] == ["pass"]


async def test_whatever_is_approved_is_run(scanner: Scanner) -> None:
    await evaluate(scanner, commit(scanner), sender="mallory", approved_by="Ann")
    [row] = await recorded(scanner)
    assert (row["verdict"], row["approved_by"], row["sender"]) == ("pass", "Ann", "mallory")


def test_everybody_is_trusted_only_by_a_star() -> None:
    assert GateSettings(trusted_senders=["*"]).trusts(None)
    assert not GateSettings(trusted_senders=["ann"]).trusts(None)
    assert not GateSettings(trusted_senders=[]).trusts("ann")


async def test_the_first_verdict_of_a_job_stands(scanner: Scanner, counting: Counting) -> None:
    sha, job_id = commit(scanner), new_id()
    first = await evaluate(scanner, sha, job_id, story_id="1.2")
    again = await evaluate(scanner, sha, job_id, story_id="1.2")
    assert counting.runs == 1
    assert (again.data, again.events) == (first.data, first.events)
    assert len(await following(scanner, "conflict_detection")) == 1


async def test_an_attempt_that_was_cut_short_is_made_again(
    scanner: Scanner, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha, job_id = commit(scanner), new_id()
    with monkeypatch.context() as patched:
        patched.setattr(scanner.resources.gates, "record", _cut)
        with pytest.raises(ConnectionError):
            await evaluate(scanner, sha, job_id)
    assert [r["state"] for r in await recorded(scanner)] == ["running"]
    await evaluate(scanner, sha, job_id)
    assert [r["verdict"] for r in await recorded(scanner)] == ["pass"]
    assert counting.runs == 2


async def test_only_the_first_verdict_is_kept(scanner: Scanner) -> None:
    sha, job_id = commit(scanner), new_id()
    await evaluate(scanner, sha, job_id)
    late = Evaluation(gate_type="lint", verdict="fail", reason="An attempt that was cut off.")
    await scanner.resources.gates.record(job_id, late)
    assert [r["verdict"] for r in await recorded(scanner)] == ["pass"]


async def test_a_cancelled_evaluation_leaves_nothing_behind(
    scanner: Scanner,
) -> None:
    seconds = f"{60 + os.getpid() / 1e7}"
    sha, job_id = commit(scanner, b"touch began; exec sleep %b\n" % seconds.encode()), new_id()
    running = asyncio.create_task(evaluate(scanner, sha, job_id))
    root = scanner.mirrors._root.parent / "scratch"
    await eventually(lambda: [*root.glob("*/tree/began")], timeout=20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert list(root.iterdir()) == []
    assert [
        p for p in psutil.process_iter(["cmdline"]) if seconds in (p.info["cmdline"] or [])
    ] == []
    assert [(r["state"], r["verdict"]) for r in await recorded(scanner)] == [("running", None)]


async def _cut(*_: object) -> None:
    raise ConnectionError


async def test_without_a_commit_the_newest_scanned_one_is_meant(scanner: Scanner) -> None:
    old = commit(scanner, FAILS)
    await scanner.scan(old)
    job_id = new_id()
    await evaluate(scanner, None, job_id)
    new = commit(scanner)
    await scanner.scan(new)
    await evaluate(scanner, None, branch="main")
    # A job stays with the commit that it has begun with.
    await evaluate(scanner, None, job_id)
    found = [(r["commit_sha"], r["branch"], r["verdict"]) for r in await recorded(scanner)]
    assert found == [(old, "main", "fail"), (new, "main", "pass")]


@pytest.mark.parametrize("branch", [None, "main"])
async def test_nothing_scanned_and_no_commit(scanner: Scanner, branch: str | None) -> None:
    commit(scanner)
    with pytest.raises(PermanentError, match="nothing was scanned"):
        await evaluate(scanner, None, branch=branch)
    assert await recorded(scanner) == []


async def test_without_a_sandbox_nothing_is_run(
    scanner: Scanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find() -> Path:
        raise SandboxUnavailable("bubblewrap is not installed")

    monkeypatch.setattr(bubblewrap, "find", find)
    outside = tmp_path / "outside"
    outside.mkdir()
    await evaluate(scanner, commit(scanner, b"touch %b/ran\n" % str(outside).encode()))
    [row] = await recorded(scanner)
    assert row["verdict"] == "error"
    assert row["evaluation"]["reason"].startswith("Nothing was run: bubblewrap")
    assert list(outside.iterdir()) == []


async def test_a_check_that_takes_too_long(scanner: Scanner) -> None:
    await trust(scanner, seconds=1)
    await evaluate(scanner, commit(scanner, b"sleep 60\n"))
    assert [r["verdict"] for r in await recorded(scanner)] == ["timeout"]


@pytest.mark.parametrize("prepare", [False, True])
async def test_what_a_check_needs_is_only_installed_where_it_was_asked_for(
    scanner: Scanner, prepare: bool
) -> None:
    await scanner.pool.execute(
        "INSERT INTO gate_settings (project_id, prepare) VALUES ($1, $2)",
        scanner.project_id, prepare,
    )  # fmt: skip
    files = {".switchyard.yml": CONFIGURATION, "check.sh": PASSES, "requirements.txt": NO_LOCK}
    await evaluate(scanner, scanner.origin.commit(files))
    [row] = await recorded(scanner)
    assert row["verdict"] == ("error" if prepare else "pass")
    assert ("could not install" in row["evaluation"]["reason"]) == prepare
    assert ("all is well" in row["evaluation"]["log"]) != prepare


@asynccontextmanager
async def git_with_a_secret() -> AsyncIterator[int]:
    """A process beside the check that has a secret in its environment, as a fetch has."""
    process = await asyncio.create_subprocess_exec(
        "sleep", "60", env={"PATH": os.defpath, "GIT_CONFIG_VALUE_0": "an0ther-s3cret"}
    )
    try:
        yield process.pid
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("unsafe", [False, True])
async def test_no_secret_of_the_worker_reaches_a_check(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unsafe: bool
) -> None:
    for name in ("CREDENTIAL_ENCRYPTION_KEY", "GITHUB_TOKEN", "DATABASE_URL"):
        monkeypatch.setenv(name, "the-s3cret-value")
    object.__setattr__(
        scanner.resources, "gate_runner", GateRunner(tmp_path / "scratch", unsafe=unsafe)
    )
    async with git_with_a_secret() as pid:
        script = b"env; cat /proc/%d/environ; echo seen; test -f check.sh\n" % pid
        await evaluate(scanner, commit(scanner, script))
    [row] = await recorded(scanner)
    log = row["evaluation"]["log"]
    assert "PATH=" in log
    assert "seen" in log
    assert "the-s3cret" not in str(row)
    # Without a sandbox the check sees its neighbours: so it would be noticed.
    assert ("an0ther-s3cret" in log) == unsafe


async def test_nothing_is_left_on_the_disk(scanner: Scanner) -> None:
    root = scanner.mirrors._root.parent / "scratch"
    shutil.rmtree(root, ignore_errors=True)
    await evaluate(scanner, commit(scanner, b"mkdir -p a/b; echo x > a/b/c; chmod 0 a\n"))
    assert list(root.iterdir()) == []


@dataclass(frozen=True)
class Huge:
    """A commit of one file that is too large."""

    path: str = "huge"
    mode: str = "100644"
    sha: str = "1" * 40
    size: int = 2**40

    async def entries(self) -> list["Huge"]:
        return [self]

    def read(self, shas: Iterable[str], *, max_bytes_each: int) -> Any:
        raise AssertionError("nothing is read")


async def test_a_commit_that_cannot_be_laid_out_is_an_error(tmp_path: Path) -> None:
    found = await GateRunner(tmp_path / "scratch").evaluate(Huge(), "lint", GateSettings(), "p")
    assert found.verdict == "error"
    assert "Nothing was run" in found.reason
