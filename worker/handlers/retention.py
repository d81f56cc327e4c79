"""Delete from the record what nobody needs any more."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import Retention


@REGISTRY.handles(Retention, queue="flagship:maintenance")
async def retention(job: Retention, ctx: Context) -> Outcome:
    """Delete what is too old. Safe to run twice; what a stop leaves, the next run deletes."""
    deliveries = await ctx.housekeeping.delete_deliveries(job.days)
    artifacts = await ctx.artifacts.forget_unused(job.days)
    ticks = await ctx.housekeeping.delete_ticks(job.days)
    reports = await ctx.github_reports.forget(job.days)
    usage_batches = await ctx.usage.forget_batches()
    messages = await ctx.outgoing.forget(job.days)
    return Completed(
        f"deleted: {deliveries} deliveries, {artifacts} artifacts, {ticks} ticks, "
        f"{reports} reports, {usage_batches} usage batches, {messages} messages",
        deliveries=deliveries, artifacts=artifacts, ticks=ticks, reports=reports,
        usage_batches=usage_batches, messages=messages,
    )  # fmt: skip
