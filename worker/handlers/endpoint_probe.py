"""See whether an endpoint that was disabled because it failed works again."""

from worker.cipher import Unopenable
from worker.errors import PermanentError
from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.tenant_payloads import EndpointProbe


@REGISTRY.handles(EndpointProbe, queue="webhook-probes")
async def endpoint_probe(job: EndpointProbe, ctx: Context) -> Outcome:
    """Probe it, and enable it or plan the next probe. Safe to run twice: once it is not due."""
    try:
        probed = await ctx.prober.probe(job.endpoint_id)
    except Unopenable as sealed:
        raise PermanentError(sealed.message) from None
    await ctx.follow_ups.ring(probed.rings)
    match probed.verdict:
        case "not_due":
            return Completed("nothing to probe: it was enabled, disabled by hand or deleted")
        case "works":
            return Completed("it works again and is enabled", works=True)
    error = probed.sent.error if probed.sent else None
    if probed.next_at is None:
        return Completed(f"it still fails, and is not probed any more: {error}", works=False)
    return Completed(f"it still fails: {error}", works=False, next_at=probed.next_at.isoformat())
