"""Remove what has piled up on this worker's disk."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import Cleanup


@REGISTRY.handles(Cleanup, queue="cleanup")
async def cleanup(job: Cleanup, ctx: Context) -> Outcome:
    """Remove mirrors that nobody uses. Safe to run twice, and while others fetch and read."""
    removed = await ctx.mirrors.remove_unused(job.days)
    return Completed(f"mirrors removed: {removed}", mirrors=removed)
