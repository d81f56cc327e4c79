"""The audit: what was accepted and is not accounted for."""

import asyncio

from aiohttp import web

from webhooks.api.requests import answer, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.jobs.offences import AuditQuery, Census


async def audit(request: web.Request) -> web.Response:
    """`GET /api/audit`: takes a census. Some seconds, where there is much or something is wrong."""
    conservation = request.app[RESOURCES].steering.conservation
    limit = query_as(request, AuditQuery).limit
    # As long as each page takes, others have their turn.
    return answer(await conservation.census(limit, rest=asyncio.sleep))


ROUTES = (
    Route("GET", "/api/audit", audit, "What is not accounted for", Census, query=AuditQuery),
)  # fmt: skip
