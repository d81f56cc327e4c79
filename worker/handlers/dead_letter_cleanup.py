"""Delete dead letters that nobody has looked after for long."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import DeadLetterCleanup


@REGISTRY.handles(DeadLetterCleanup, queue="flagship:maintenance")
async def dead_letter_cleanup(job: DeadLetterCleanup, ctx: Context) -> Outcome:
    """Discard what died too long ago. Safe to run twice: what is gone is gone."""
    gone = await ctx.housekeeping.delete_dead_letters(job.days)
    return Completed(f"dead letters deleted: {gone}", dead_letters=gone)
