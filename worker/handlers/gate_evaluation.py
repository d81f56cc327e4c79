"""Run one of a repository's own checks at a commit, and keep the verdict."""

from typing import Any

from worker.errors import PermanentError
from worker.gates.model import Evaluation
from worker.gates.store import GateSettings, Run
from worker.git import branch_ref
from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.handlers.snapshots import fetch_snapshot
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import ConflictDetection, GateEvaluation


@REGISTRY.handles(GateEvaluation, queue="gate-evaluation")
async def gate_evaluation(job: GateEvaluation, ctx: Context) -> Outcome:
    """Evaluate a gate. Safe to run twice: the first verdict of a job stands.

    Somebody else's code is only run for a trusted sender, or once somebody has approved it.
    """
    run = await _run_of(job, ctx)
    report = f"switchyard/{run.gate_type}"
    found = await ctx.gates.begin(run)
    await ctx.reports.begin(run.project_id, run.commit_sha, report, run.job_id)
    settings = await ctx.gates.settings(run.project_id)
    if found is None and not _may_run(run, settings):
        await ctx.gates.await_approval(run.job_id)
        outcome = _awaiting(run)
    else:
        outcome = await _judged(run, found or await _evaluate(run, settings, ctx), ctx)
    await ctx.reports.touch(run.project_id, run.commit_sha, report, run.job_id)
    return outcome


async def _run_of(job: GateEvaluation, ctx: Context) -> Run:
    """What the job is about: at the commit it names, or at the newest one that was scanned."""
    branch, commit = job.branch, job.commit_sha
    if commit is None:
        newest = await ctx.gates.newest(job.project_id, branch, ctx.job.id)
        if newest is None:
            raise PermanentError("nothing was scanned yet: name a commit")
        branch, commit = newest
    return Run(
        ctx.job.id, job.project_id, job.gate_type, job.story_id, branch, commit, job.sender,
        job.approved_by,
    )  # fmt: skip


def _may_run(run: Run, settings: GateSettings) -> bool:
    return run.approved_by is not None or settings.trusts(run.sender)


async def _evaluate(run: Run, settings: GateSettings, ctx: Context) -> Evaluation:
    ctx.progress(5, "fetching the commit")
    ref = branch_ref(run.branch) if run.branch else None
    snapshot = await fetch_snapshot(ctx, run.commit_sha, ref)
    ctx.progress(15, f"running {run.gate_type}")
    evaluation = await ctx.gate_runner.evaluate(
        snapshot, run.gate_type, settings, str(run.project_id)
    )
    ctx.progress(95, "recording")
    await ctx.gates.record(run.job_id, evaluation)
    return evaluation


async def _judged(run: Run, evaluation: Evaluation, ctx: Context) -> Completed:
    if run.story is not None:
        await ctx.jobs.add(
            ConflictDetection(project_id=run.project_id, branch=run.branch, story_ids=[run.story]),
            f"gate-conflicts:{run.job_id}",
        )
    told = _told(run) | {
        "verdict": evaluation.verdict,
        "reason": evaluation.reason,
        "counts": evaluation.counts and evaluation.counts.model_dump(mode="json"),
    }
    return Completed(
        f"{run.gate_type}: {evaluation.verdict}",
        events=[("gate_evaluated", told)],
        verdict=evaluation.verdict, reason=evaluation.reason, commit_sha=run.commit_sha,
        gate_type=run.gate_type, story_id=run.story,
    )  # fmt: skip


def _awaiting(run: Run) -> Completed:
    who = f"{run.sender} is" if run.sender else "whoever pushed it is"
    return Completed(
        f"{run.gate_type} awaits approval: {who} not among the trusted senders",
        events=[("gate_awaiting_approval", _told(run) | {"sender": run.sender})],
        awaiting_approval=True, commit_sha=run.commit_sha, gate_type=run.gate_type,
        story_id=run.story,
    )  # fmt: skip


def _told(run: Run) -> dict[str, Any]:
    return {
        "gateType": run.gate_type,
        "storyId": run.story,
        "branch": run.branch,
        "commitSha": run.commit_sha,
    }
