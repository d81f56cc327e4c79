"""Record what somebody did."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.tenant_payloads import AuditEvent


@REGISTRY.handles(AuditEvent, queue="flagship:audit")
async def audit_event(job: AuditEvent, ctx: Context) -> Outcome:
    """Record the event. Safe to run twice: an event that is there already stays as it is."""
    new = await ctx.audit.persist(job.event)
    return Completed("recorded" if new else "it was recorded before", duplicate=not new)
