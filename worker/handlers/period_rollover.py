"""Roll usage periods over at their organisations' hours, midnights and first days of the month."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import Maintenance


@REGISTRY.handles(Maintenance, queue="flagship:maintenance")
async def period_rollover(job: Maintenance, ctx: Context) -> Outcome:
    """Close what has ended. Safe to run twice, late and at once: what is archived is not again."""
    done = await ctx.rollover.run(job.tick)
    await ctx.follow_ups.ring(done.rings)
    return Completed(
        f"closed {done.periods} periods, archived {done.counters} counters",
        periods=done.periods, counters=done.counters,
    )  # fmt: skip
