"""Sum usage up over all organisations."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import UsageAggregation


@REGISTRY.handles(UsageAggregation, queue="flagship:maintenance")
async def usage_aggregation(job: UsageAggregation, ctx: Context) -> Outcome:
    """Sum up the hour or day that ended last. Safe to run twice: sums replace sums."""
    sums = await ctx.summaries.sum_up(job.period, job.tick)
    return Completed(f"usage sums written: {sums}", sums=sums)
