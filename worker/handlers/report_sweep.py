"""Find the reports to GitHub that do not show how their job ended, and have them sent."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import ReportSweep


@REGISTRY.handles(ReportSweep, queue="github-reports")
async def report_sweep(job: ReportSweep, ctx: Context) -> Outcome:
    """Ask for them once more. Safe to run twice: one that is about to be sent is left alone."""
    asked = await ctx.reports.sweep()
    return Completed(f"reports to mend: {asked}", reports=asked)
