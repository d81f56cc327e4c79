"""Jobs that report and end in every way, through the real engine and the product's own handlers.

As a process: `arq tests.github.app.WorkerSettings`.
"""

import asyncio
import ctypes
import os
import signal
from importlib import import_module
from typing import Any

from worker.errors import PermanentError
from worker.handlers.context import Context
from worker.handlers.github_report import github_report
from worker.handlers.report_sweep import report_sweep
from worker.jobs.backoff import Backoff
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import GateEvaluation, GithubReport, ReportSweep
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry

PR_SET_PDEATHSIG = 1
PROMPT = Backoff("fixed", 0.05)
REGISTRY = Registry()
REGISTRY.handles(GithubReport, queue="github-reports")(github_report)
REGISTRY.handles(ReportSweep, queue="github-reports")(report_sweep)
QUEUES = {
    q.name: q
    for q in (
        Queue("github-reports", ("github_report", "missed_deliveries", "report_sweep"),
              6, Backoff("fixed", 0.2), 20, 60),
        Queue("gate-evaluation", ("gate_evaluation",), 2, PROMPT, 4, 30),
        Queue("conflict-detection", ("conflict_detection",), 2, PROMPT, 4, 30),
    )
}  # fmt: skip
NAME = "switchyard/lint"


@REGISTRY.handles(GateEvaluation, queue="gate-evaluation")
async def gate_evaluation(job: GateEvaluation, ctx: Context) -> Outcome:
    """Report, and end as the story's name says."""
    assert job.commit_sha is not None
    place = (job.project_id, job.commit_sha, NAME, ctx.job.id)
    await ctx.reports.begin(*place)
    if job.story_id == "wait":
        await asyncio.Event().wait()
    if job.story_id == "die":
        raise PermanentError("as ordered")
    await _record(job, ctx)
    await ctx.reports.touch(*place)
    return Completed()


async def _record(job: GateEvaluation, ctx: Context) -> None:
    found = {"verdict": "pass", "reason": "All is well."}
    await ctx.github_reports._pool.execute(
        """INSERT INTO gate_evaluations (job_id, project_id, gate_type, commit_sha, state, verdict,
                                         evaluation, finished_at)
           VALUES ($1, $2, 'lint', $3, 'done', 'pass', $4, now())""",
        ctx.job.id, job.project_id, job.commit_sha, found,
    )  # fmt: skip


def __getattr__(name: str) -> Any:
    if name != "WorkerSettings":
        raise AttributeError(name)
    # A worker outlives no test, even one that is killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if "TEST_LEASE_MS" in os.environ:
        claims: Any = import_module("worker.engine.claims")
        claims.LEASE_MS = int(os.environ["TEST_LEASE_MS"])
    from worker.app import worker_settings
    from worker.product import open_resources

    return worker_settings(REGISTRY, QUEUES, open_resources)
