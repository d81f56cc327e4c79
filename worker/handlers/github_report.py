"""Bring what GitHub shows of a commit up to date with the record."""

from worker.github.api import Repository
from worker.github.checks import check_digest, send_check
from worker.github.errors import Limited
from worker.github.record import Claim, Place
from worker.github.showing import shown
from worker.github.shown import Shown
from worker.github.statuses import send_status, status_digest
from worker.github.store import BeingSent
from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome, Snooze
from worker.jobs.payloads import GithubReport

WHILE_ANOTHER_SENDS = 2.0


@REGISTRY.handles(GithubReport, queue="github-reports")
async def github_report(job: GithubReport, ctx: Context) -> Outcome:
    """Send what is not shown yet. Safe to run twice: what was sent is known, or looked up."""
    place = Place(job.project_id, job.commit_sha, job.name)
    try:
        claim = await ctx.reports.store.claim(place, ctx.job.id, ctx.job.attempt)
        if claim is None:
            return Completed("there is nothing to report")
        async with ctx.reports.store.sending(claim):
            return await _send_what_changed(claim, ctx)
    except BeingSent:
        return Snooze(WHILE_ANOTHER_SENDS, "another job is sending this report")
    except Limited as limited:
        return Snooze(limited.seconds, limited.message)


async def _send_what_changed(claim: Claim, ctx: Context) -> Outcome:
    if claim.is_final:
        await ctx.reports.store.unchanged(claim)
        return Completed("GitHub shows how it ended")
    login = await ctx.credentials.for_github(ctx.project)
    if login is None:
        problem = "no GitHub App or token for this project"
        await ctx.reports.store.unconfigured(claim, problem)
        return Completed(f"nobody is told: {problem}")
    project = ctx.project
    repository = ctx.github.repository(login, project.repository, project.repository_id)
    report = shown(claim)
    digest = (check_digest if repository.writes_checks else status_digest)(claim, report)
    if digest == claim.sent_digest and not claim.uncertain:
        await ctx.reports.store.unchanged(claim)
        return Completed("nothing has changed")
    run = await _send(repository, claim, report, ctx)
    await ctx.reports.store.sent(claim, run, report.state, digest)
    return Completed(f"{claim.place.name}: {report.title}", conclusion=report.conclusion)


async def _send(repository: Repository, claim: Claim, report: Shown, ctx: Context) -> int | None:
    if not repository.writes_checks:
        await send_status(repository, claim, report)
        return None
    return await send_check(
        repository, claim, report, lambda run: ctx.reports.store.created(claim, run)
    )
